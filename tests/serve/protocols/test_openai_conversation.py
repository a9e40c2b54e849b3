"""OpenAI's realtime conversations, event by event, without a socket."""

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.net.websocket import Reply
from serve.protocols import wire
from serve.protocols.dialogue_messages import (
    CancelReply,
    KeepSaid,
    ReplyAudio,
    ReplyDone,
    ReplyStarted,
    ReplyTruncated,
    Respond,
    ToolResult,
    TurnMessage,
    UpdateDialogue,
    UserText,
)
from serve.protocols.openai_conversation import OpenAiConversation, realtime
from serve.protocols.openai_realtime import OpenAiRealtime
from speech.errors import ConfigError
from tests.serve.conftest import facts
from tests.serve.openai_events import check_official, kinds, of

TURN = TurnMessage(seq=1, reply=0, text="a", language="eng", speech_end_ms=900)
STARTED = ReplyStarted(seq=1, reply=0, sample_rate=24_000, stages={})
AUDIO = base64.b64encode(bytes(480)).decode()
HELLO = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}


def choose(name: str, language: str) -> str:
    if name != "marin":
        raise ConfigError(f"there is no voice {name!r}")
    return "ann"


class Client:
    """What an adapter makes of the events of a client, and tells it."""

    def __init__(self) -> None:
        self.adapter = OpenAiConversation(("eng", "deu"), choose, "gpt-realtime")
        self.told: list[dict[str, Any]] = []
        self._hear(self.adapter.greet())

    def say(self, kind: str, **fields: Any) -> list[wire.ClientMessage | bytes]:
        """The messages of an event."""
        meant = self.adapter.incoming(json.dumps({"type": kind, **fields}))
        self._hear([item.frame for item in meant if isinstance(item, Reply)])
        return [item for item in meant if not isinstance(item, Reply)]

    def hear(self, *messages: wire.ServerMessage) -> list[dict[str, Any]]:
        """The events of messages."""
        before = len(self.told)
        for message in messages:
            self._hear(self.adapter.outgoing(message))
        return self.told[before:]

    def refused(self, kind: str, **fields: Any) -> tuple[str, str | None]:
        """Code and field of the error that answers an event, which means nothing else."""
        before = len(self.told)
        assert self.say(kind, event_id="mine", **fields) == []
        (event,) = self.told[before:]
        assert (event["type"], event["error"]["event_id"]) == ("error", "mine")
        return event["error"]["code"], event["error"]["param"]

    def _hear(self, frames: list[wire.Frame]) -> None:
        for frame in frames:
            self.told.append(json.loads(frame))
            if not self.told[-1]["type"].startswith("transcription_session"):  # the beta's, which have no types
                check_official(self.told[-1])


def answering() -> Client:
    """Something is being said."""
    client = Client()
    client.say("input_audio_buffer.append", audio=AUDIO)
    client.hear(TURN, STARTED)
    return client


def test_who_asks_for_nothing_gets_a_conversation_with_the_first_audio():
    client = Client()
    assert kinds(client.told) == ["session.created"]
    assert client.told[0]["session"]["type"] == "realtime"
    start, data = client.say("input_audio_buffer.append", audio=AUDIO)
    assert isinstance(start, wire.StartMessage)
    assert start.audio == wire.AudioParams("pcm_s16le", 24_000)
    assert start.interim == "append"
    assert start.dialogue is not None
    assert (start.dialogue.automatic, start.dialogue.forgets) == (True, False)
    assert data == bytes(480)
    assert client.say("input_audio_buffer.append", audio=AUDIO) == [bytes(480)]


def test_an_item_or_a_response_starts_a_session_too():
    client = Client()
    start, text = client.say("conversation.item.create", item=HELLO)
    assert isinstance(start, wire.StartMessage)
    assert text == UserText("hello")
    assert kinds(client.told)[1:] == ["conversation.item.added", "conversation.item.done"]
    assert client.say("response.create", response={"instructions": "Be short."}) == [Respond("Be short.")]
    start, respond = Client().say("response.create")
    assert isinstance(start, wire.StartMessage)
    assert respond == Respond("")


def test_items_are_in_one_order():
    client = answering()
    said = client.told[-1]["item_id"]
    client.hear(ReplyDone(seq=1, reply=0, text="Hi.", calls=[]))
    (result,) = client.say(
        "conversation.item.create",
        item={"type": "function_call_output", "call_id": "call_1", "output": "3", "id": "mine"},
        previous_item_id=said,
    )
    assert result == ToolResult("call_1", "3")
    assert (client.told[-1]["item"]["id"], client.told[-1]["previous_item_id"]) == ("mine", said)
    client.say("conversation.item.create", item=HELLO)
    assert client.told[-1]["previous_item_id"] == "mine"
    assert client.refused("conversation.item.create", item=HELLO, previous_item_id=said) == (
        "not_supported",
        "previous_item_id",
    )


def test_an_update_changes_the_dialogue_and_the_recognition():
    client = Client()
    vad = {"type": "semantic_vad", "eagerness": "high"}
    given = {"input": {"turn_detection": vad, "transcription": {"language": "de"}}, "output": {"voice": "marin"}}
    assert client.say("session.update", session={"type": "realtime", "audio": given}) == []
    assert kinds(client.told)[-1] == "session.updated"
    start = client.say("response.create")[0]
    assert isinstance(start, wire.StartMessage)
    assert start.languages == ["de"]
    assert start.dialogue is not None
    assert (start.dialogue.voice, start.dialogue.turn_model) == ("ann", True)
    dialogue, update = client.say("session.update", session={"type": "realtime", "instructions": "Be kind."})
    assert isinstance(dialogue, UpdateDialogue)
    assert (dialogue.dialogue.voice, dialogue.dialogue.instructions) == ("ann", "Be kind.")
    assert isinstance(update, wire.Update)
    assert update.languages == ["de"]
    assert kinds(client.told).count("session.updated") == 1
    assert kinds(client.hear(wire.Updated(seq=1, from_ms=0))) == ["session.updated"]


def test_an_update_that_the_engine_refuses_is_not_confirmed():
    client = answering()
    for _ in range(2):
        client.say("session.update", session={"type": "realtime"})
    dialogue = wire.Error(seq=1, code="bad_config", message="no voice", fatal=False, retryable=False, param="dialogue")
    refused = wire.Error(seq=1, code="bad_config", message="an adapter is gone", fatal=False, retryable=False)
    events = client.hear(dialogue, refused, wire.Updated(seq=1, from_ms=0))
    assert kinds(events) == ["error", "error", "session.updated"]


def test_without_turn_detection_a_commit_makes_an_item_and_nothing_else():
    client = Client()
    client.say("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
    assert client.refused("input_audio_buffer.commit")[0] == "input_audio_buffer_commit_empty"
    client.say("input_audio_buffer.append", audio=AUDIO)
    assert client.say("input_audio_buffer.commit") == [wire.Finalize(), KeepSaid(True)]
    events = client.hear(wire.SpeechStarted(seq=1, at_ms=0), wire.Finalized(seq=1, id=None, at_ms=10))
    assert kinds(events) == [
        "input_audio_buffer.committed", "conversation.item.added", "completed", "conversation.item.done",
    ]  # fmt: skip
    assert client.say("input_audio_buffer.clear") == [wire.Finalize(), KeepSaid(False)]
    assert kinds(client.hear(wire.Finalized(seq=1, id=None, at_ms=10))) == ["input_audio_buffer.cleared"]


def test_one_response_at_a_time():
    client = Client()
    assert client.refused("response.cancel")[0] == "response_cancel_not_active"
    client.say("response.create", response={"metadata": {"topic": "dogs"}})
    assert client.refused("response.create")[0] == "conversation_already_has_active_response"
    created = client.hear(TURN)[0]["response"]
    assert created["metadata"] == {"topic": "dogs"}
    assert client.refused("response.create")[0] == "conversation_already_has_active_response"
    assert client.refused("response.cancel", response_id="resp_other")[0] == "response_cancel_not_active"
    assert client.say("response.cancel", response_id=created["id"]) == [CancelReply()]
    events = client.hear(ReplyTruncated(seq=1, reply=0, text="", played_ms=0))
    assert events[-1]["response"]["status_details"]["reason"] == "client_cancelled"
    assert len(client.say("response.create")) == 1


def test_what_a_client_says_that_it_has_played_ends_the_reply():
    client = answering()
    item = client.told[-1]["item_id"]
    place = {"item_id": item, "content_index": 0}
    client.hear(ReplyAudio(seq=1, reply=0, start_ms=0, words=[], pcm=bytes(480)))
    assert client.say("conversation.item.truncate", **place, audio_end_ms=5) == [CancelReply()]
    events = client.hear(ReplyTruncated(seq=1, reply=0, text="", played_ms=7))
    assert of(events, "conversation.item.truncated")[0]["audio_end_ms"] == 7
    assert client.say("conversation.item.truncate", **place, audio_end_ms=6) == []
    assert (client.told[-1]["type"], client.told[-1]["audio_end_ms"]) == ("conversation.item.truncated", 7)
    assert client.refused("conversation.item.truncate", **{**place, "item_id": "x"}, audio_end_ms=1) == (
        "invalid_value",
        "item_id",
    )


def test_what_was_heard_to_its_end_cannot_be_cut():
    client = answering()
    item = client.told[-1]["item_id"]
    client.hear(ReplyDone(seq=1, reply=0, text="Hi.", calls=[]))
    refused = client.refused("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=1)
    assert refused == ("invalid_value", "audio_end_ms")


def message(role: str = "user", **part: Any) -> dict[str, Any]:
    return {"item": {"type": "message", "role": role, "content": [{"type": "input_text", "text": "a", **part}]}}


LANGUAGE = "session.audio.input.transcription.language"


@pytest.mark.parametrize(
    ("given", "code", "param"),
    [
        ({"type": "transcription"}, "not_supported", "session.type"),
        ({"type": "other"}, "invalid_value", "session.type"),
        ({"audio": {"output": {"voice": "x"}}}, "invalid_value", "session.audio.output.voice"),
        ({"audio": {"output": {"speed": 9}}}, "invalid_value", "session.audio.output.speed"),
        ({"tools": [{"type": "mcp", "name": "x"}]}, "invalid_value", "session.tools[0].type"),
        ({"input_audio_transcription": {"language": "fr"}}, "invalid_value", LANGUAGE),
        ({"input_audio_format": "g711_ulaw"}, "audio_format_fixed", "session.audio"),
    ],
)
def test_a_setting_that_cannot_be_had_is_refused_by_name(given, code, param):
    client = Client()
    client.say("input_audio_buffer.append", audio=AUDIO)
    assert client.refused("session.update", session=given) == (code, param)


@pytest.mark.parametrize(
    ("given", "code", "param"),
    [
        (message("system"), "not_supported", "item.role"),
        (message(type="input_image"), "not_supported", "item.content[0].type"),
        (message(text="a" * 20_001), "invalid_value", "item.content[0].text"),
        ({"item": {"type": "mcp_call"}}, "invalid_value", "item.type"),
        ({"item": {"type": "function_call_output", "output": "x"}}, "invalid_value", "item"),
    ],
)
def test_an_item_that_cannot_be_added_is_refused_by_name(given, code, param):
    assert Client().refused("conversation.item.create", **given) == (code, param)


@pytest.mark.parametrize(
    ("kind", "fields", "code", "param"),
    [
        ("no.such.event", {}, "invalid_value", "type"),
        ("conversation.item.delete", {"item_id": "x"}, "not_supported", "type"),
        ("conversation.item.retrieve", {"item_id": "x"}, "not_supported", "type"),
        ("output_audio_buffer.clear", {}, "not_supported", "type"),
        ("transcription_session.update", {"session": {}}, "not_supported", "type"),
        ("response.create", {"response": {"conversation": "none"}}, "not_supported", "response.conversation"),
        ("response.create", {"response": {"input": [{}]}}, "not_supported", "response.input"),
        ("response.create", {"response": {"tools": [{}]}}, "not_supported", "response.tools"),
        ("response.create", {"response": {"modalities": ["text"]}}, "not_supported", "response.output_modalities"),
        ("input_audio_buffer.append", {"audio": "%"}, "invalid_value", "audio"),
        ("input_audio_buffer.append", {"audio": "AA=="}, "invalid_value", "audio"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(kind, fields, code, param):
    client = Client()
    client.say("input_audio_buffer.append", audio=AUDIO)
    assert client.refused(kind, **fields) == (code, param)
    assert client.say("input_audio_buffer.append", audio=AUDIO) == [bytes(480)]


@pytest.mark.parametrize(
    ("kind", "answer"),
    [("session.update", "session.updated"), ("transcription_session.update", "transcription_session.updated")],
)
def test_a_session_whose_first_update_says_so_only_listens(kind, answer):
    client = Client()
    client.say(kind, session={"type": "transcription"})
    assert kinds(client.told) == ["session.created", answer]
    start, _ = client.say("input_audio_buffer.append", audio=AUDIO)
    assert isinstance(start, wire.StartMessage)
    assert start.dialogue is None
    assert client.refused("response.create") == ("not_supported", "type")
    assert len({event["event_id"] for event in client.told}) == len(client.told)
    assert client.hear(wire.SpeechStarted(seq=1, at_ms=0))[0]["type"] == "input_audio_buffer.speech_started"


def test_a_server_that_does_not_answer_only_listens():
    assert isinstance(realtime({}, facts(), None), OpenAiRealtime)


def test_frames_of_bytes_are_refused():
    (answer,) = Client().adapter.incoming(b"\0\0")
    assert isinstance(answer, Reply)
    assert json.loads(answer.frame)["error"]["code"] == "invalid_value"


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_fields = st.dictionaries(
    st.sampled_from(["session", "item", "response", "item_id", "audio", "response_id", "previous_item_id"]), _json
)
_kinds = st.sampled_from(
    ["session.update", "input_audio_buffer.append", "input_audio_buffer.commit", "input_audio_buffer.clear",
     "conversation.item.create", "conversation.item.truncate", "response.create", "response.cancel", "x"]
)  # fmt: skip


@given(st.lists(st.tuples(_kinds, _fields), max_size=6))
def test_whatever_is_sent_is_answered_or_refused(events):
    adapter = OpenAiConversation(("eng",), choose, "m")
    begun = False
    for kind, fields in events:
        for item in adapter.incoming(msgspec.json.encode({**fields, "type": kind}).decode()):
            assert isinstance(item, Reply) or begun or isinstance(item, wire.StartMessage)
            begun = begun or isinstance(item, wire.StartMessage)
