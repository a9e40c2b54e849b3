"""The one loop: what is read first, what a failure ends, and that whoever drives it gets the same."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from speech import Recognizer
from speech.errors import ConfigError, LanguageError, SpeechError
from speech.events import Event, TranscriptEvent
from speech.recognize.request import Request
from speech.stream.commands import Change, Done, Finish, Flush
from speech.stream.engine import wanted
from speech.stream.options import StreamOptions
from speech.stream.pacing import Pacing
from speech.stream.readings import DirectReadings
from speech.stream.slot import Slot
from speech.transcript import join
from tests.failing_session import CALLS, failing


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer.from_pretrained()


def finals(events: list[Event]) -> str:
    return join([w for e in events if isinstance(e, TranscriptEvent) and e.is_final for w in e.words])


def heard(name: str, **waiting: Any) -> Slot:
    """A session of which something waits to be read: `complete`, `expected` or `under_way`."""
    part = SimpleNamespace(end_sample=16_000, place=name, growing="growing" in waiting)
    stream = SimpleNamespace(
        options=StreamOptions(),
        received_s=1.0,
        requests=lambda part: [Request(draft=part.growing)],
        complete="behind" in waiting or ("complete" in waiting and not part.growing),
        waiting_part=lambda: part if "complete" in waiting else None,
        expected_part=lambda: part if "expected" in waiting else None,
        waiting_partial=lambda: (part, Request(quick=True)) if "under_way" in waiting else None,
    )
    return Slot(stream)  # type: ignore[arg-type]


def test_parts_under_way_are_read_last_and_not_while_a_complete_one_waits():
    under_way, expected, complete = heard("u", under_way=1), heard("e", expected=1), heard("c", complete=1, under_way=1)
    assert [one.part.place for one in wanted([under_way, expected], ahead=True)] == ["e", "u"]
    assert [one.partial for one in wanted([under_way, expected], ahead=True)] == [False, True]
    assert [one.part.place for one in wanted([under_way, expected, complete], ahead=True)] == ["c", "e"]
    assert wanted([under_way], ahead=True)[0].requests == [Request(quick=True)]


def test_a_draft_is_read_behind_complete_parts_unless_one_waits_for_it():
    draft, urgent = heard("d", complete=1, growing=1), heard("b", complete=1, growing=1, behind=1)
    complete, under_way = heard("c", complete=1), heard("u", under_way=1)
    assert [one.part.place for one in wanted([draft, complete], ahead=False)] == ["c", "d"]
    assert [one.part.place for one in wanted([draft, urgent], ahead=False)] == ["b", "d"]
    assert [one.part.place for one in wanted([under_way, draft], ahead=False)] == ["d", "u"]
    (reading,) = wanted([draft], ahead=False)
    assert (reading.complete, reading.partial, reading.requests) == (False, False, [Request(draft=True)])


def test_a_part_that_only_may_be_complete_is_not_read_unless_somebody_has_time():
    assert wanted([heard("e", expected=1)], ahead=False) == []


@pytest.mark.parametrize("refusal", [ConfigError("no"), LanguageError("no")])
def test_a_change_that_the_stream_refuses_changes_nothing_and_is_answered(refusal):
    def update(options: StreamOptions) -> float:
        raise refusal

    stream = SimpleNamespace(
        update=update, received_s=1.0, processed_s=1.0, waiting_part=lambda: None, waiting_chunk=lambda _: None,
        drain=list,
    )  # fmt: skip
    slot = Slot(stream)  # type: ignore[arg-type]
    change = slot.barrier = Change(StreamOptions(interim=False), StreamOptions())
    slot.carry_out()
    result = slot.report(16)
    assert result is not None
    assert result.done == [Done(change, 1.0, refusal)]
    assert result.error is slot.error is None


@pytest.mark.parametrize("name", CALLS)
def test_what_fails_for_one_session_is_raised_by_that_one_and_no_other(recognizer, speech, name):
    engine = recognizer.engine()
    good, bad = engine.open(), engine.open()
    failing(bad.session, name, after=int(name in ("waiting_part", "waiting_chunk")))
    queue = DirectReadings(engine.second_pass.read, 6.0, ahead=True)
    for place in (slice(0, 30_000), slice(30_000, None)):
        for stream in (good, bad):
            stream.push(speech[place])
        while engine.turn([good, bad], queue):
            pass
    bad.waiting += [Change(StreamOptions(interim=False), StreamOptions()), Flush(None), Finish()]
    good.push_finish()
    while engine.turn([good, bad], queue):
        pass
    with pytest.raises(ZeroDivisionError, match=name):
        bad.drain()
    assert finals(good.drain()) == recognizer.transcribe(speech).text


def test_a_session_that_has_failed_does_nothing_more(recognizer, speech):
    stream = recognizer.engine().open()
    failing(stream.session, "push", after=1)
    stream.accept(speech[:20_000])
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            stream.accept(speech[20_000:])
    with pytest.raises(ZeroDivisionError):
        stream.finish()


def test_paced_turns_with_parts_read_ahead_say_what_a_plain_run_says(recognizer, speech):
    engine = recognizer.engine()
    audio = np.concatenate([speech, np.zeros(9600, np.float32)])
    paced, plain = engine.open(), engine.open()
    pacing, queue, events = Pacing(), DirectReadings(engine.second_pass.read, 6.0, ahead=True), list[Event]()
    for start in range(0, len(audio), 1600):
        paced.push(audio[start : start + 1600])
        while engine.turn([paced], queue, pacing):
            pass
        events += paced.drain()
    paced.push_finish()
    while engine.turn([paced], queue, pacing):
        pass
    assert finals(events + paced.drain()) == finals(plain.accept(audio) + plain.finish())


def test_work_behind_a_flush_waits_until_its_finals_are_there(recognizer, speech):
    engine = recognizer.engine()
    stream = engine.open()
    stream.push(speech[:30_000])
    stream.push_flush()
    stream.push(speech[30_000:])
    stream.push_finish()
    engine.run([stream])
    flushed = engine.open()
    expected = flushed.accept(speech[:30_000]) + flushed.flush() + flushed.accept(speech[30_000:]) + flushed.finish()
    assert finals(stream.drain()) == finals(expected)
    assert stream.ended


def test_samples_behind_the_end_are_refused_and_the_end_may_be_said_twice(recognizer, speech):
    stream = recognizer.engine().open()
    stream.accept(speech[:20_000])
    assert stream.finish()
    with pytest.raises(SpeechError, match="ended"):
        stream.push(speech)
    assert stream.finish() == []
    assert stream.error is None
