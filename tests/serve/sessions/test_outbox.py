"""Messages are numbered without gaps, partials give way to newer ones, and what was sent can be sent again."""

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from serve.protocols import wire
from serve.sessions.outbox import Outbox


def transcript(segment: int, rev: int, final: bool = False) -> wire.TranscriptMessage:
    return wire.TranscriptMessage(
        seq=1, segment=segment, rev=rev, is_final=final, stable=0, start_ms=0, end_ms=0, audio_ms=0, lag_ms=0,
        languages=[], text=f"{segment}.{rev}",
    )  # fmt: skip


def texts(message: wire.ServerMessage) -> list[wire.Frame]:
    return [wire.render(message)]


def taken(outbox: Outbox) -> list[dict[str, Any]]:
    return [json.loads(text) for (text,) in iter(lambda: outbox.take(texts), None)]


def test_a_partial_that_was_not_taken_gives_way_to_the_next():
    outbox = Outbox()
    for rev in range(5):
        outbox.put(transcript(0, rev))
    outbox.put(transcript(0, 5, final=True))
    outbox.put(transcript(1, 0))
    assert [(m["seq"], m["text"]) for m in taken(outbox)] == [(1, "0.5"), (2, "1.0")]


def test_deltas_are_never_dropped():
    outbox = Outbox()
    for rev, delta in enumerate(("a b", " c")):
        outbox.put(msgspec.structs.replace(transcript(0, rev), delta=delta, text=msgspec.UNSET))
    assert [m["delta"] for m in taken(outbox)] == ["a b", " c"]


def test_finals_and_others_are_never_dropped():
    outbox = Outbox()
    outbox.put(transcript(0, 0))
    outbox.put(wire.Alive(seq=1))
    outbox.put(transcript(0, 1, final=True))
    outbox.put(transcript(1, 0, final=True))
    assert [m["seq"] for m in taken(outbox)] == [1, 2, 3, 4]


@given(st.lists(st.sampled_from(["put", "take"]), max_size=60), st.integers(0, 70))
def test_what_was_sent_after_a_message_can_be_sent_again(steps, last_seq):
    outbox, sent = Outbox(), []
    for step in steps:
        if step == "put":
            outbox.put(wire.Alive(seq=1))
        elif (frames := outbox.take(texts)) is not None:
            sent.append(json.loads(frames[0])["seq"])
    assert sent == list(range(1, len(sent) + 1))
    again = outbox.replay(last_seq)
    if last_seq > len(sent):
        assert again is None
    else:
        assert [json.loads(text)["seq"] for text in again or []] == sent[last_seq:]


def test_each_message_is_rendered_once_and_sent_again_as_it_was():
    outbox, rendered = Outbox(), []

    def render(message: wire.ServerMessage) -> list[wire.Frame]:
        rendered.append(message.seq)
        return [[], ["one"], ["two", b"and audio"]][message.seq - 1]

    for _ in range(3):
        outbox.put(wire.Alive(seq=1))
    assert list(iter(lambda: outbox.take(render), None)) == [[], ["one"], ["two", b"and audio"]]
    assert outbox.replay(0) == ["one", "two", b"and audio"]
    assert outbox.replay(2) == ["two", b"and audio"]
    assert rendered == [1, 2, 3]


def test_what_is_too_old_is_not_known_any_more():
    outbox = Outbox()
    for number in range(2000):
        outbox.put(wire.Notice(seq=1, code="x", message="y" * 1000 + str(number)))
    taken(outbox)
    assert outbox.replay(0) is None
    assert len(outbox.replay(1990) or []) == 10
