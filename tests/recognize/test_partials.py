"""Partial results of a part that is read again: when it is read, and what of it is out of date."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from speech.audio.vad import Vad
from speech.decode.bias.phrases import Phrase
from speech.decode.endpoint import EndpointConfig, Reason
from speech.decode.label.timing import WrittenWord
from speech.events import Event, LanguageEvent, TranscriptEvent
from speech.recognize.partials import RereadPartials
from speech.recognize.parts import PartCutter
from speech.recognize.request import Request
from speech.recognize.result import PartResult
from speech.stream.session import StreamOptions
from speech.transcript import Word

SECOND = 16_000


@pytest.fixture
def segmenter(speech) -> PartCutter:
    """Somebody has begun to speak."""
    found = PartCutter(Vad(), EndpointConfig(), grid=320)
    found.accept(speech[:SECOND])
    assert found.speech_begin is not None
    return found


def reader() -> SimpleNamespace:
    return SimpleNamespace(
        words=lambda heard, request: [Word(heard.language, 0.0, 0.5, 1.0, heard.language)],
        language=lambda evidence, frames, request: ("deu", 0.75),
    )


def heard(language: str = "deu", written: tuple[WrittenWord, ...] | None = (WrittenWord("a", 0, 0),)) -> PartResult:
    return PartResult([], torch.zeros(1), 1, 1.0, written=written, language=language)


def test_it_is_read_again_for_every_second_and_stays_the_same_until_then(segmenter, speech):
    partials = RereadPartials(reader(), Request(phrases=(Phrase("a"),)), wanted=True)
    assert partials.request == Request(phrases=(Phrase("a"),), quick=True)
    assert partials.waiting(segmenter) is None
    segmenter.accept(speech[SECOND : 2 * SECOND])
    first = partials.waiting(segmenter)
    assert first is not None
    assert first.end_sample == 2 * SECOND
    segmenter.accept(speech[2 * SECOND : 3 * SECOND - 1])
    assert partials.waiting(segmenter) is first
    segmenter.accept(speech[3 * SECOND - 1 : 3 * SECOND])
    second = partials.waiting(segmenter)
    assert second is not first
    assert (second.first_sample, second.end_sample) == (first.first_sample, 3 * SECOND)
    partials.take(second, heard("deu"), segmenter)
    assert partials.waiting(segmenter) is None
    assert (partials.heard_s, partials.words(segmenter)[0].text) == (3.0, "deu")
    partials.take(first, heard("eng"), segmenter)  # it comes too late
    assert (partials.heard_s, partials.words(segmenter)[0].text) == (3.0, "deu")


def test_what_is_complete_meanwhile_or_asked_otherwise_is_forgotten(segmenter, speech):
    partials = RereadPartials(reader(), Request(), wanted=True)
    segmenter.accept(speech[SECOND : 2 * SECOND])
    part = partials.waiting(segmenter)
    segmenter.flush()
    partials.after(segmenter, quiet=False)
    partials.take(part, heard(), segmenter)
    assert partials.heard_s is None
    assert partials.words(segmenter) == []
    segmenter.accept(speech[2 * SECOND : 4 * SECOND - 8000])
    assert partials.waiting(segmenter) is not None
    partials.configure(Request(("deu",)), segmenter, wanted=False)
    assert partials.waiting(segmenter) is None


def test_nobody_reads_it_before_somebody_speaks():
    segmenter = PartCutter(Vad(), EndpointConfig(), grid=320)
    segmenter.accept(np.zeros(3 * SECOND, np.float32))
    assert RereadPartials(reader(), Request(), wanted=True).waiting(segmenter) is None


def test_parts_tell_when_the_language_has_changed(segmenter):
    partials = RereadPartials(reader(), Request(), wanted=True)
    assert partials.turned(heard("deu"), spoke=False) is None
    assert partials.turned(heard("deu", written=()), spoke=True) is None
    switch = partials.turned(heard("deu"), spoke=True)
    assert (switch.previous, switch.language, switch.confidence) == (None, "deu", 0.75)
    assert partials.turned(heard("deu"), spoke=True) is None
    assert partials.turned(heard("eng"), spoke=True).previous == "deu"
    partials.configure(Request(("spa",)), segmenter, wanted=True)
    assert partials.turned(heard("spa"), spoke=True) is None


def test_the_part_under_way_is_what_it_would_be_if_it_ended_here(segmenter, speech):
    so_far = segmenter.so_far()
    assert (so_far.reason, so_far.silent, so_far.end_sample) == (Reason.client, False, SECOND)
    ended = segmenter.flush()
    assert (ended.place, ended.speech_end, ended.quiet) == (so_far.place, so_far.speech_end, so_far.quiet)
    assert (ended.samples == so_far.samples).all()


def shown(events: list[Event]) -> bool:
    """Whether there are words that may change yet."""
    return any(isinstance(event, TranscriptEvent) and len(event.words) > event.stable for event in events)


def test_there_are_none_while_the_decoder_alone_knows_all_that_is_named(recognizer, speech):
    engine = recognizer.engine()
    for languages, some in ((("jpn",), False), (("jpn", "ukr"), False), (("jpn", "eng"), True), ((), True)):
        session = engine.open(StreamOptions(languages=languages))
        events = session.accept(speech[: 2 * SECOND])
        assert shown(events) == some
        assert not (languages and any(isinstance(event, LanguageEvent) for event in events))


def test_they_come_and_go_with_the_languages_that_are_named(recognizer, speech):
    session = recognizer.engine().open(StreamOptions(languages=("jpn",)))
    assert not shown(session.accept(speech[:SECOND]))
    session.update(StreamOptions(languages=("eng",)))
    assert shown(session.accept(speech[SECOND : 2 * SECOND]))
    session.update(StreamOptions(languages=("jpn",)))
    assert not shown(session.accept(speech[2 * SECOND :]))
