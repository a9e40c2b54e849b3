"""What items come of what a session says, without a session."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.protocols import wire
from serve.protocols.openai_items import FlushReason, ItemOrder, Items
from tests.serve.openai_events import TRANSCRIPTION, check_items, joined, kinds, of


def transcript(
    text: str, *, after: str = "", final: bool = True, reason: str = "silence", segment: int = 0, audio_ms: int = 1000
) -> wire.TranscriptMessage:
    """A revision in the form of `append`: `text` behind `after`."""
    old, fresh = after.split(), text.split()
    listed = [wire.WordInfo(word, 0, 10, 0.5, "eng") for word in ([*old, *fresh] if final else fresh)]
    message = wire.TranscriptMessage(
        seq=1, segment=segment, rev=0, is_final=final, stable=len(old) + len(fresh), start_ms=0, end_ms=0,
        audio_ms=audio_ms, lag_ms=0, languages=[], words=listed, delta=f" {text}" if after and text else text,
    )  # fmt: skip
    if final:
        message.reason = reason
    return message


def endpoint(at_ms: int, reason: str = "silence") -> wire.EndpointMessage:
    return wire.EndpointMessage(seq=1, at_ms=at_ms, reason=reason, latency_ms=0)


def speech(at_ms: int) -> wire.SpeechStarted:
    return wire.SpeechStarted(seq=1, at_ms=at_ms)


FINALIZED = wire.Finalized(seq=1, id=None, at_ms=3000)


def made(
    *messages: wire.ServerMessage, flushes: Sequence[FlushReason] = (), manual: bool = False
) -> list[dict[str, Any]]:
    items = Items()
    items.configure(manual=manual, beta=False, logprobs=False)
    items.flushes += flushes
    return [record for message in messages for record in items.take(message)]


def test_speech_that_began_before_the_last_item_ended_belongs_to_the_next():
    events = made(
        speech(100),
        speech(500),
        speech(2000),
        endpoint(1500),
        transcript("a"),
        endpoint(3000),
        transcript("b", segment=1),
    )
    check_items(events)
    started, stopped = of(events, "input_audio_buffer.speech_started"), of(events, "input_audio_buffer.speech_stopped")
    assert [e["audio_start_ms"] for e in started] == [100, 2000]
    assert [e["audio_end_ms"] for e in stopped] == [1500, 3000]
    assert [e["item_id"] for e in started] == [e["item_id"] for e in of(events, f"{TRANSCRIPTION}.completed")]


def test_words_of_a_long_item_come_as_soon_as_they_are_stable():
    events = made(
        speech(0), endpoint(9000, "max_length"), transcript("a b", final=False),
        endpoint(12_000), transcript("c", after="a b", audio_ms=12_000),
    )  # fmt: skip
    check_items(events)
    assert [event["delta"] for event in events if "delta" in event] == ["a b", " c"]
    assert kinds(events)[-5:] == [
        "delta", "input_audio_buffer.speech_stopped", "delta", "completed", "conversation.item.done",
    ]  # fmt: skip


def test_who_speaks_on_begins_the_next_item():
    events = made(speech(0), transcript("a", reason="max_length", audio_ms=30_000), endpoint(31_000), transcript("b"))
    check_items(events)
    assert [e["audio_start_ms"] for e in of(events, "input_audio_buffer.speech_started")] == [0, 30_000]


def test_speech_without_a_word_is_an_empty_item():
    events = made(speech(0), endpoint(1000), wire.SpeechEnded(seq=1, at_ms=1))
    check_items(events)
    assert of(events, f"{TRANSCRIPTION}.completed")[0]["transcript"] == ""


@pytest.mark.parametrize(
    "messages",
    [
        [FINALIZED],
        [endpoint(2900, "client"), FINALIZED],
        [endpoint(2900, "client"), transcript("a", reason="client"), FINALIZED],
        [transcript("a", reason="client"), FINALIZED],
    ],
)
@pytest.mark.parametrize("manual", [False, True])
def test_a_commit_makes_one_item_whatever_was_said(messages, manual):
    events = made(*messages, flushes=[FlushReason.commit], manual=manual)
    check_items(events)
    assert len(of(events, f"{TRANSCRIPTION}.completed")) == 1


@pytest.mark.parametrize("manual", [False, True])
def test_what_is_cleared_is_not_said(manual):
    flushed = [endpoint(2900, "client"), transcript("b", reason="client"), FINALIZED]
    events = made(*flushed, flushes=[FlushReason.clear], manual=manual)
    assert kinds(events) == ["input_audio_buffer.cleared"]


def test_what_was_said_before_a_clear_stays_said():
    items = Items()
    events = items.take(transcript("a", final=False))
    items.flushes.append(FlushReason.clear)
    for message in (transcript("b", after="a", reason="client"), FINALIZED):
        events += items.take(message)
    check_items(events)
    assert joined(events) == "a"


def test_segments_between_two_commits_are_one_item():
    events = made(
        transcript("a", reason="max_length"), transcript("b", segment=1, final=False),
        transcript("c", after="b", segment=1, reason="client"), FINALIZED,
        flushes=[FlushReason.commit], manual=True,
    )  # fmt: skip
    check_items(events)
    assert joined(events) == "a b c"


def test_in_a_conversation_words_come_when_their_item_ends_and_other_items_lie_between():
    order = ItemOrder()
    items = Items(order, early=False)
    events = []
    for message in (speech(0), transcript("a", final=False), transcript("b", after="a", final=False)):
        events += items.take(message)
    assert kinds(events) == ["input_audio_buffer.speech_started"]
    order.append("reply")
    for message in (endpoint(1000), transcript("c", after="a b")):
        events += items.take(message)
    check_whole(events[1:], before="reply", text="a b c")
    own = of(events, "conversation.item.done")[0]["item"]["id"]
    order.append("other")
    check_whole(items.take(transcript("d", segment=1)), before="other", text="d")
    assert own not in (order.last, "other")


def check_whole(events: Sequence[dict[str, Any]], *, before: str, text: str) -> None:
    """One item behind another, in the order of OpenAI's."""
    assert kinds(events)[-5:] == [
        "input_audio_buffer.committed", "conversation.item.added", "delta", "completed", "conversation.item.done",
    ]  # fmt: skip
    assert joined(events) == of(events, f"{TRANSCRIPTION}.delta")[0]["delta"] == text
    assert {event["previous_item_id"] for event in events if "previous_item_id" in event} == {before}


@given(
    st.lists(st.sampled_from(["speech", "pause", "part", "words", "cough", "commit", "clear"]), max_size=30),
    st.booleans(),
)
def test_items_are_whole_whatever_happens(steps, manual):
    items, now, segment, part = Items(), 0, 0, ""
    items.configure(manual=manual, beta=False, logprobs=False)
    events = []
    for step in steps:
        now += 1000
        messages: list[wire.ServerMessage] = []
        if step == "speech":
            messages = [speech(now)]
        elif step == "part":
            messages = [endpoint(now, "max_length"), transcript("w", after=part, final=False, segment=segment)]
            part = f"{part} w".strip()
        elif step == "cough" and not part:
            messages = [endpoint(now)]
        elif step in ("pause", "words"):
            text = "w" if step == "words" else ""
            messages = [endpoint(now), transcript(text, after=part, segment=segment, audio_ms=now)]
            segment, part = segment + 1, ""
        elif step in ("commit", "clear"):
            items.flushes.append(FlushReason[step])
            if part:
                messages = [transcript("", after=part, segment=segment, reason="client", audio_ms=now)]
                segment, part = segment + 1, ""
            messages.append(wire.Finalized(seq=1, id=None, at_ms=now))
        events += [record for message in messages for record in items.take(message)]
    items.flushes.append(FlushReason.commit)
    events += items.take(wire.Finalized(seq=1, id=None, at_ms=now))
    check_items(events)
