"""OpenAI's own client converses with a server over a real socket."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import soxr
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection

from serve import app
from speech.audio.input.files import load_audio
from speech.audio.input.pcm import to_pcm16
from speech.data.manifest import read_manifest
from speech.dialogue.answers.answerer import AnswerPart, ChatMessage, KnownAnswer, TextPiece, ToolCall
from tests.conftest import CLIPS
from tests.serve.conftest import Running, running
from tests.serve.openai_events import check_official, joined, kinds, of
from tests.tiny_voice import save_tiny_voice

SHORT = "A bad desk."
LONG = "A bad desk. " * 60
FIND = {"type": "function", "name": "find", "description": "Finds.", "parameters": {"type": "object"}}
PATIENCE_S = 120


class Told:
    """An answerer that says what a test tells it, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[tuple[ChatMessage, ...], Sequence[Mapping[str, Any]]]] = []
        self.parts: list[list[AnswerPart]] = []

    def answer(self, messages: Sequence[ChatMessage], tools: Sequence[Mapping[str, Any]] = ()) -> KnownAnswer:
        self.asked.append((tuple(messages), tools))
        return KnownAnswer(self.parts.pop(0) if self.parts else [TextPiece(SHORT)])

    def will_say(self, *answers: str | ToolCall) -> None:
        self.asked.clear()
        self.parts = [[TextPiece(one) if isinstance(one, str) else one] for one in answers]

    def said(self) -> list[tuple[str, str]]:
        """Who said what before the last answer."""
        return [(message.role, message.text) for message in self.asked[-1][0]]


@pytest.fixture(scope="module")
def answerer() -> Told:
    return Told()


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory, answerer: Told) -> Iterator[Running]:
    """A server with a small voice that answers what a test wants."""
    voice = save_tiny_voice(tmp_path_factory.mktemp("talking") / "voice")
    made = app.open_mouth

    def told(*args: Any) -> Any:
        mouth = made(*args)
        assert mouth is not None
        return replace(mouth, answerer=answerer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "open_mouth", told)
        with running(voice_model=str(voice), watermark=False, answers="echo", idle_s=300.0) as server:
            yield server


@pytest.fixture(scope="module")
def spoken() -> bytes:
    """Somebody speaks English, and is silent; PCM16 at 24 kHz."""
    clip = read_manifest(CLIPS, check_files=True)[0]
    samples = np.append(load_audio(clip.audio), np.zeros(24_000, np.float32))
    return to_pcm16(soxr.resample(samples, 16_000, 24_000))


class Caller:
    """The client's side of one connection."""

    def __init__(self, connection: AsyncRealtimeConnection) -> None:
        self.connection = connection
        self.events: list[dict[str, Any]] = []

    async def until(self, kind: str) -> dict[str, Any]:
        """The next event of a kind; all on the way are as the official client's types want them."""
        while True:
            event = json.loads(await asyncio.wait_for(self.connection.recv_bytes(), PATIENCE_S))
            check_official(event)
            self.events.append(event)
            if event["type"] == kind:
                return event

    async def set(self, **session: Any) -> None:
        await self.connection.session.update(session={"type": "realtime", **session})  # type: ignore[typeddict-item]
        await self.until("session.updated")

    async def speak(self, pcm: bytes) -> None:
        for start in range(0, len(pcm), 9600):
            await self.connection.input_audio_buffer.append(audio=base64.b64encode(pcm[start : start + 9600]).decode())

    async def write(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        await self.connection.conversation.item.create(item=item)  # type: ignore[arg-type]

    def heard_s(self) -> float:
        deltas = of(self.events, "response.output_audio.delta")
        return sum(len(base64.b64decode(event["delta"])) for event in deltas) / 48_000


def call(server: Running, conversation: Callable[[Caller], Awaitable[None]]) -> Caller:
    async def run() -> Caller:
        async with (
            AsyncOpenAI(api_key="any", base_url=f"{server.http}/v1") as client,
            client.realtime.connect(model="gpt-realtime") as connection,
        ):
            caller = Caller(connection)
            await caller.until("session.created")
            await conversation(caller)
            return caller

    return asyncio.run(run())


def listening(**turn_detection: Any) -> dict[str, Any]:
    vad = {"type": "server_vad", "silence_duration_ms": 800, **turn_detection}
    return {"input": {"turn_detection": vad, "transcription": {"model": "whisper-1", "language": "en"}}}


def test_what_is_said_is_answered_aloud(talking, answerer, spoken):
    answerer.will_say(SHORT)

    async def conversation(caller: Caller) -> None:
        await caller.set(instructions="Be kind.", audio={**listening(), "output": {"voice": "marin"}})
        await caller.speak(spoken)
        await caller.until("response.done")

    caller = call(talking, conversation)
    order = list(dict.fromkeys(kinds(caller.events)))
    assert order[:2] == ["session.created", "session.updated"]
    assert order[2:9] == [
        "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "input_audio_buffer.committed",
        "conversation.item.added", "delta", "completed", "conversation.item.done",
    ]  # fmt: skip
    assert order[9:12] == ["response.created", "response.output_item.added", "response.content_part.added"]
    assert order[-4:] == [
        "response.output_audio_transcript.done", "response.content_part.done", "response.output_item.done",
        "response.done",
    ]  # fmt: skip
    heard = joined(caller.events)
    assert heard
    assert answerer.said() == [("system", "Be kind."), ("user", heard)]
    response = caller.events[-1]["response"]
    assert (response["status"], response["output"][0]["content"][0]["transcript"]) == ("completed", SHORT)
    assert response["audio"]["output"]["voice"] == "marin"
    assert 0.5 < caller.heard_s() < 2.0
    added = of(caller.events, "conversation.item.added")
    assert [event["item"]["role"] for event in added] == ["user", "assistant"]
    assert added[1]["previous_item_id"] == added[0]["item"]["id"]


def test_who_interrupts_is_listened_to(talking, answerer, spoken):
    answerer.will_say(LONG, SHORT)

    async def conversation(caller: Caller) -> None:
        await caller.set(audio=listening())
        await caller.speak(spoken)
        await caller.until("response.output_audio.delta")
        await caller.speak(spoken)
        await caller.until("conversation.item.truncated")
        await caller.until("response.done")

    caller = call(talking, conversation)
    cut, answered = (event["response"] for event in of(caller.events, "response.done"))
    assert cut["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    item = cut["output"][0]
    heard = item["content"][0]["transcript"]
    assert LONG.startswith(heard)
    assert len(heard) < len(LONG) / 2
    truncated = of(caller.events, "conversation.item.truncated")[0]
    assert truncated["item_id"] == item["id"]
    assert 0 < truncated["audio_end_ms"] <= caller.heard_s() * 1000 + 100  # of what the resampler still has
    order = kinds(caller.events)
    second = [place for place, kind in enumerate(order) if kind == "input_audio_buffer.speech_started"][1]
    assert order.index("response.output_audio.delta") < second < order.index("response.done")
    assert answered["status"] == "completed"
    said = [one for one in answerer.said() if one[0] == "assistant"]
    assert said == ([("assistant", heard)] if heard else [])


def test_what_is_written_is_answered_if_that_is_asked_for(talking, answerer):
    answerer.will_say(SHORT, LONG)

    async def conversation(caller: Caller) -> None:
        await caller.write("How are you?")
        await caller.connection.response.create(response={"instructions": "Be short.", "metadata": {"topic": "you"}})
        await caller.until("response.done")
        assert answerer.said() == [("system", "Be short."), ("user", "How are you?")]
        await caller.set(instructions="Be long.")
        await caller.write("And now?")
        await caller.connection.response.create()
        await caller.until("response.output_audio.delta")
        await caller.connection.response.create(event_id="too early")
        await caller.until("error")
        await caller.connection.response.cancel()
        await caller.until("conversation.item.truncated")

    caller = call(talking, conversation)
    first, second = (event["response"] for event in of(caller.events, "response.done"))
    assert (first["status"], first["metadata"]) == ("completed", {"topic": "you"})
    assert second["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert answerer.said() == [
        ("system", "Be long."), ("user", "How are you?"), ("assistant", SHORT), ("user", "And now?"),
    ]  # fmt: skip
    error = of(caller.events, "error")[0]["error"]
    assert (error["code"], error["event_id"]) == ("conversation_already_has_active_response", "too early")


def test_a_function_is_called_and_its_result_answered(talking, answerer):
    answerer.will_say(ToolCall("call_1", "find", '{"what":"a desk"}'), SHORT)

    async def conversation(caller: Caller) -> None:
        await caller.set(tools=[FIND])
        await caller.write("Find a desk.")
        await caller.connection.response.create()
        called = await caller.until("response.function_call_arguments.done")
        await caller.until("response.done")
        item = {"type": "function_call_output", "call_id": called["call_id"], "output": "a bad one"}
        await caller.connection.conversation.item.create(item=item)  # type: ignore[arg-type]
        await caller.connection.response.create()
        await caller.until("response.done")

    caller = call(talking, conversation)
    (call_item,) = of(caller.events, "response.done")[0]["response"]["output"]
    assert (call_item["name"], json.loads(call_item["arguments"])) == ("find", {"what": "a desk"})
    assert answerer.asked[0][1][0]["function"]["name"] == "find"
    roles = [role for role, _ in answerer.said()]
    assert roles == ["user", "assistant", "tool"]
    result = answerer.asked[-1][0][-1]
    assert (result.text, result.tool_call_id) == ("a bad one", "call_1")


def test_without_turn_detection_a_response_answers_all_that_was_committed(talking, answerer, spoken):
    answerer.will_say(SHORT)

    async def conversation(caller: Caller) -> None:
        listens = {"turn_detection": None, "transcription": {"language": "en"}}
        await caller.set(audio={"input": listens, "output": {"format": {"type": "audio/pcmu"}}})
        await caller.speak(spoken)
        await caller.connection.input_audio_buffer.commit()
        await caller.connection.response.create()  # before its words are there
        await caller.until("response.done")

    caller = call(talking, conversation)
    assert not of(caller.events, "input_audio_buffer.speech_started")
    assert joined(caller.events)
    assert answerer.said() == [("user", joined(caller.events))]
    assert len(answerer.asked) == 1
    order = kinds(caller.events)
    assert order.index("completed") < order.index("response.created")
    assert 0.5 < caller.heard_s() * 6 < 2.0  # a byte each, 8 kHz


def test_a_session_may_only_listen(talking, answerer, spoken):
    answerer.will_say()

    async def conversation(caller: Caller) -> None:
        await caller.connection.session.update(session={"type": "transcription", "audio": listening()})  # type: ignore[typeddict-item]
        await caller.until("session.updated")
        await caller.speak(spoken)
        await caller.until("conversation.item.done")

    caller = call(talking, conversation)
    assert joined(caller.events)
    assert caller.events[1]["session"]["type"] == "transcription"
    assert not answerer.asked
