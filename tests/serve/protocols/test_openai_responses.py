"""What events come of replies, without a session."""

import base64
import itertools
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from serve.protocols import wire
from serve.protocols.dialogue_messages import (
    CalledFunction,
    DialogueEvent,
    ReplyAudio,
    ReplyDone,
    ReplyFailedMessage,
    ReplyHeld,
    ReplyResumed,
    ReplyStarted,
    ReplyText,
    ReplyTruncated,
    TurnMessage,
    TurnReopenedMessage,
)
from serve.protocols.openai_conversation_settings import ConversationSettings
from serve.protocols.openai_items import ItemOrder
from serve.protocols.openai_responses import Responses
from serve.protocols.openai_sessions import RealtimeFormat
from tests.serve.openai_events import check_official, kinds, of

TURN = TurnMessage(seq=1, reply=0, text="a", language="eng", speech_end_ms=900)
STARTED = ReplyStarted(seq=1, reply=0, sample_rate=24_000, stages={})
PCM = bytes(range(200)) * 24
"""A tenth of a second."""


def text(delta: str) -> ReplyText:
    return ReplyText(seq=1, reply=0, delta=delta)


def audio(pcm: bytes = PCM) -> ReplyAudio:
    return ReplyAudio(seq=1, reply=0, start_ms=0, words=[], pcm=pcm)


def done(said: str, *calls: CalledFunction) -> ReplyDone:
    return ReplyDone(seq=1, reply=0, text=said, calls=list(calls))


SAID: tuple[DialogueEvent, ...] = (TURN, text("Hello "), STARTED, audio(), text("there."))


def taken(responses: Responses, messages: Sequence[wire.ServerMessage]) -> list[dict[str, Any]]:
    """Events, each as the official client's types want it; times of `seq` aside."""
    records = [record for message in messages for record in responses.take(message)]
    for number, record in enumerate(records):
        check_official({"event_id": f"event_{number}", **msgspec.to_builtins(record)})
    return records


def made(*messages: wire.ServerMessage) -> list[dict[str, Any]]:
    return taken(Responses(ItemOrder()), messages)


def last(events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The response that is done."""
    return of(events, "response.done")[-1]["response"]


def heard(events: Sequence[dict[str, Any]]) -> bytes:
    return b"".join(base64.b64decode(event["delta"]) for event in of(events, "response.output_audio.delta"))


def test_a_reply_is_a_response_with_one_item():
    events = made(*SAID, done("Hello there."))
    assert kinds(events) == [
        "response.created", "response.output_item.added", "conversation.item.added", "response.content_part.added",
        "response.output_audio_transcript.delta", "response.output_audio.delta",
        "response.output_audio_transcript.delta", "response.output_audio.done",
        "response.output_audio_transcript.done", "response.content_part.done", "response.output_item.done",
        "conversation.item.done", "response.done",
    ]  # fmt: skip
    assert heard(events) == PCM
    response = last(events)
    assert (response["status"], response["status_details"]) == ("completed", {"type": "completed"})
    assert response["usage"]["total_tokens"] == 0
    item = response["output"][0]
    assert (item["status"], item["role"], item["content"][0]["transcript"]) == (
        "completed",
        "assistant",
        "Hello there.",
    )
    deltas = of(events, "response.output_audio_transcript.delta")
    assert "".join(event["delta"] for event in deltas) == item["content"][0]["transcript"]
    assert {event["item_id"] for event in events if "item_id" in event} == {item["id"]}
    assert {event["response_id"] for event in events if "response_id" in event} == {response["id"]}


def test_an_interrupted_reply_is_what_was_heard_of_it():
    order = ItemOrder()
    responses = Responses(order)
    order.append("item_user")
    held = ReplyHeld(seq=1, reply=0, played_ms=90)
    cut = ReplyTruncated(seq=1, reply=0, text="Hello", played_ms=95)
    events = taken(responses, [*SAID, held, ReplyResumed(seq=1, reply=0), held, cut])
    response = last(events)
    assert response["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    item = response["output"][0]
    assert (item["status"], item["content"][0]["transcript"]) == ("incomplete", "Hello")
    assert kinds(events)[-2:] == ["response.done", "conversation.item.truncated"]
    assert (events[-1]["item_id"], events[-1]["audio_end_ms"]) == (item["id"], 95)
    assert (responses.spoken, responses.truncated_ms, responses.active) == (item["id"], 95, None)
    assert {event["previous_item_id"] for event in events if "previous_item_id" in event} == {"item_user"}


def test_who_cancelled_is_said():
    responses = Responses(ItemOrder())
    taken(responses, SAID)
    responses.cancel()
    events = taken(responses, [ReplyTruncated(seq=1, reply=0, text="", played_ms=0)])
    assert last(events)["status_details"]["reason"] == "client_cancelled"
    again = taken(responses, [TURN, TurnReopenedMessage(seq=1, reply=0)])
    assert last(again)["status_details"]["reason"] == "turn_detected"


@pytest.mark.parametrize(
    "end", [TurnReopenedMessage(seq=1, reply=0), ReplyTruncated(seq=1, reply=0, text="", played_ms=0)]
)
def test_nothing_is_kept_of_a_reply_that_was_not_heard(end):
    order = ItemOrder()
    events = taken(Responses(order), [TURN, text("Hello "), end])
    assert kinds(events) == ["response.created", "response.done"]
    assert (last(events)["status"], last(events)["output"], order.last) == ("cancelled", [], None)


def test_functions_that_are_called_are_items_behind_what_is_said():
    call = CalledFunction("call_1", "find", '{"what":"a dog"}')
    events = made(*SAID, done("Hello there.", call))
    said, called = last(events)["output"]
    assert (called["type"], called["call_id"], called["name"]) == ("function_call", "call_1", "find")
    arguments = of(events, "response.function_call_arguments.done")[0]
    assert (arguments["output_index"], arguments["arguments"], arguments["name"]) == (1, '{"what":"a dog"}', "find")
    added = of(events, "conversation.item.added")
    assert [event["previous_item_id"] for event in added] == [None, said["id"]]
    alone = made(TURN, done("", call))
    assert [item["type"] for item in last(alone)["output"]] == ["function_call"]
    assert not of(alone, "response.output_audio.done")


def test_what_cannot_be_spoken_is_read():
    events = made(TURN, text("1!"), done("1!"))
    assert last(events)["output"][0]["content"][0]["transcript"] == "1!"
    assert not heard(events)


@pytest.mark.parametrize("begun", [SAID, (TURN, text("Hello "))])
def test_a_reply_that_fails_says_why(begun):
    events = made(*begun, ReplyFailedMessage(seq=1, reply=0, message="the model is gone"))
    assert last(events)["status"] == "failed"
    assert last(events)["status_details"]["error"]["message"] == "the model is gone"
    assert len(last(events)["output"]) == (begun is SAID)


def test_a_client_gets_the_format_that_it_asked_for_before_the_turn():
    responses = Responses(ItemOrder())
    responses.settings = ConversationSettings(output_format=RealtimeFormat("audio/pcmu"))
    events = taken(responses, [TURN, STARTED])
    responses.settings = ConversationSettings()
    events += taken(responses, [audio(), done("")])
    assert abs(len(heard(events)) - len(PCM) / 2 / 3) <= 1
    assert last(events)["audio"]["output"]["format"] == {"type": "audio/pcmu"}


def test_metadata_belongs_to_one_response():
    responses = Responses(ItemOrder())
    responses.metadata = {"topic": "dogs"}
    events = taken(responses, [TURN, done(""), msgspec.structs.replace(TURN, reply=1)])
    created = [event["response"]["metadata"] for event in of(events, "response.created")]
    assert created == [{"topic": "dogs"}, None]


def test_what_is_about_another_reply_or_none_has_no_events():
    responses = Responses(ItemOrder())
    assert responses.take(STARTED) == responses.take(audio()) == []
    taken(responses, [TURN])
    others = [msgspec.structs.replace(message, reply=7) for message in (STARTED, audio(), done("x"))]
    assert list(itertools.chain(*map(responses.take, others))) == []
    assert responses.take(wire.Alive(seq=1)) == []


def test_a_turn_ends_what_is_under_way():
    events = made(*SAID, msgspec.structs.replace(TURN, reply=1))
    assert last(events)["status"] == "cancelled"
    assert kinds(events)[-1] == "response.created"
