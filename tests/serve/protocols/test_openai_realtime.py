"""OpenAI's realtime transcription: its own SDK over a real socket, and event by event."""

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import soxr
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from websockets.sync.client import ClientConnection, connect

from serve.net.websocket import Reply
from serve.protocols import wire
from serve.protocols.openai_realtime import OpenAiRealtime
from speech import Recognizer
from speech.audio.input.pcm import to_pcm16
from tests.serve.conftest import Running
from tests.serve.openai_events import TRANSCRIPTION, check_items, check_official, joined, kinds, of

PATH = "/v1/realtime?intent=transcription"


@pytest.fixture(scope="module")
def pcm24(speech: np.ndarray) -> bytes:
    """The speech of the tests and a pause, as the clients' usual PCM16 at 24 kHz."""
    return to_pcm16(soxr.resample(np.append(speech, np.zeros(12_800, np.float32)), 16_000, 24_000))


def from_pcm(pcm: bytes) -> np.ndarray:
    return np.frombuffer(pcm, "<i2").astype(np.float32) / 32768


# The official client


async def append(connection: AsyncRealtimeConnection, pcm: bytes) -> None:
    for start in range(0, len(pcm), 9600):
        await connection.input_audio_buffer.append(audio=base64.b64encode(pcm[start : start + 9600]).decode())


async def until(connection: AsyncRealtimeConnection, last: str) -> list[dict[str, Any]]:
    """Events, each as the SDK's types want it."""
    events = []
    while not events or events[-1]["type"] != last:
        events.append(json.loads(await asyncio.wait_for(connection.recv_bytes(), 60)))
        check_official(events[-1])
    return events


def talk(server: Running, conversation: Callable[[AsyncRealtimeConnection], Any]) -> list[dict[str, Any]]:
    async def run() -> list[dict[str, Any]]:
        async with (
            AsyncOpenAI(api_key="any", base_url=f"{server.http}/v1") as client,
            client.realtime.connect(extra_query={"intent": "transcription"}) as connection,
        ):
            return await conversation(connection)

    return asyncio.run(run())


def test_the_sdk_hears_the_text_of_the_file(server: Running, pcm24, recognizer: Recognizer):
    async def conversation(connection: AsyncRealtimeConnection) -> list[dict[str, Any]]:
        events = await until(connection, "session.created")
        vad = {"type": "server_vad", "silence_duration_ms": 500}
        given = {"format": {"type": "audio/pcm", "rate": 24000}, "turn_detection": vad}
        given["transcription"] = {"model": "gpt-4o-transcribe", "prompt": "names", "languages": ["en", "fr"]}
        logprobs = ["item.input_audio_transcription.logprobs"]
        await connection.session.update(
            session={"type": "transcription", "audio": {"input": given}, "include": logprobs}
        )
        events += await until(connection, "session.updated")
        await append(connection, pcm24)
        await connection.input_audio_buffer.clear()  # of the silence behind
        return events + await until(connection, "input_audio_buffer.cleared")

    events = talk(server, conversation)
    assert joined(events) == recognizer.transcribe(from_pcm(pcm24), rate=24_000, language="eng,fra").text
    check_items(events)
    assert len({event["event_id"] for event in events}) == len(events)
    updated = of(events, "session.updated")[0]["session"]
    assert updated["audio"]["input"]["transcription"]["languages"] == ["en", "fr"]
    completed = of(events, f"{TRANSCRIPTION}.completed")
    assert len(pcm24) / 48_000 - 1 < sum(e["usage"]["seconds"] for e in completed) < len(pcm24) / 48_000
    assert all(len(e["logprobs"]) == len(e["transcript"].split()) for e in completed)
    assert completed[0]["languages"][0] == {"code": "en"}
    started, stopped = of(events, "input_audio_buffer.speech_started"), of(events, "input_audio_buffer.speech_stopped")
    assert [e["item_id"] for e in started] == [e["item_id"] for e in stopped] == [e["item_id"] for e in completed]
    assert all(a["audio_start_ms"] < b["audio_end_ms"] for a, b in zip(started, stopped, strict=True))


def test_without_turn_detection_each_commit_is_an_item(server: Running, pcm24):
    async def conversation(connection: AsyncRealtimeConnection) -> list[dict[str, Any]]:
        await connection.session.update(session={"type": "transcription", "audio": {"input": {"turn_detection": None}}})
        for part in (pcm24[:120_000], pcm24[120_000:240_000]):
            await append(connection, part)
            await connection.input_audio_buffer.commit()
        await connection.input_audio_buffer.commit(event_id="too much")
        await append(connection, pcm24[240_000:])
        await connection.input_audio_buffer.clear()
        return await until(connection, "input_audio_buffer.cleared")

    events = talk(server, conversation)
    check_items(events)
    assert not of(events, "input_audio_buffer.speech_started")
    completed = of(events, f"{TRANSCRIPTION}.completed")
    assert len(completed) == 2
    assert all(event["transcript"] for event in completed)
    error = of(events, "error")[0]["error"]
    assert (error["code"], error["event_id"]) == ("input_audio_buffer_commit_empty", "too much")


def test_what_is_no_event_is_said_and_the_session_goes_on(server: Running, pcm24):
    async def conversation(connection: AsyncRealtimeConnection) -> list[dict[str, Any]]:
        await connection.response.create(event_id="a")
        await connection.conversation.item.retrieve(item_id="item_x", event_id="b")
        await connection.send({"type": "no.such.event", "event_id": "c"})
        await connection.send_raw("no json")
        await connection.session.update(session={"type": "realtime"})
        await append(connection, pcm24[:96_000])
        await connection.input_audio_buffer.append(audio="%", event_id="d")
        await connection.session.update(
            session={"type": "transcription", "audio": {"input": {"format": {"type": "audio/pcmu"}}}}
        )
        await connection.session.update(
            session={"type": "transcription", "audio": {"input": {"transcription": {"language": "en"}}}}
        )
        await connection.input_audio_buffer.commit()
        return await until(connection, "conversation.item.done")

    events = talk(server, conversation)
    errors = [(event["error"]["code"], event["error"]["event_id"]) for event in of(events, "error")]
    assert errors == [
        ("not_supported", "a"), ("not_supported", "b"), ("invalid_value", "c"), ("invalid_json", None),
        ("not_supported", None), ("invalid_value", "d"), ("audio_format_fixed", None),
    ]  # fmt: skip
    assert joined(events)
    assert of(events, "session.updated")[0]["session"]["audio"]["input"]["transcription"] == {"language": "en"}


# The beta, with a plain websocket


def test_the_beta_has_its_own_form(server: Running, pcm, recognizer: Recognizer):
    pcm += bytes(25_600)

    def send(socket: ClientConnection, kind: str, **fields: Any) -> None:
        socket.send(json.dumps({"type": kind, **fields}))

    with connect(server.ws + PATH, subprotocols=["realtime"]) as socket:
        assert socket.subprotocol == "realtime"
        settings = {"input_audio_format": "pcm16", "input_audio_transcription": {"model": "whisper-1"}}
        send(socket, "session.update", session={"audio": {"input": {"format": {"type": "audio/pcm", "rate": 16_000}}}})
        send(socket, "transcription_session.update", session={**settings, "turn_detection": {"type": "server_vad"}})
        send(socket, "session.update", session={"audio": {"input": {"format": {"type": "audio/pcm", "rate": 16_000}}}})
        send(socket, "transcription_session.update", session={"include": None})
        for start in range(0, len(pcm), 16_000):
            audio = base64.b64encode(pcm[start : start + 16_000]).decode()
            send(socket, "input_audio_buffer.append", audio=audio)
        send(socket, "input_audio_buffer.clear")
        events = [json.loads(socket.recv(timeout=60))]
        while events[-1]["type"] != "input_audio_buffer.cleared":
            events.append(json.loads(socket.recv(timeout=60)))
    assert joined(events) == recognizer.transcribe(from_pcm(pcm)).text
    updated = of(events, "transcription_session.updated")
    assert [event["session"]["input_audio_format"] for event in updated] == ["pcm16", "pcm16"]
    assert updated[0]["session"]["input_audio_transcription"] == {"model": "whisper-1"}
    assert len(of(events, "conversation.item.created")) == len(of(events, f"{TRANSCRIPTION}.completed"))
    assert not of(events, "conversation.item.done")


# Events without a socket


def replies(adapter: OpenAiRealtime, **event: Any) -> list[dict[str, Any]]:
    items = adapter.incoming(json.dumps(event))
    return [json.loads(item.frame) for item in items if isinstance(item, Reply)]


def opened(**given: Any) -> wire.StartMessage:
    adapter = OpenAiRealtime(("eng", "fra"))
    answer = replies(adapter, type="session.update", session=given)[0]
    assert answer["type"] == "session.updated", answer
    event = {"type": "input_audio_buffer.append", "audio": base64.b64encode(b"\0\0").decode()}
    start, data = adapter.incoming(json.dumps(event))
    assert data == b"\0\0"
    assert isinstance(start, wire.StartMessage)
    return start


def test_settings_become_the_options_of_the_session():
    usual = opened()
    assert usual.audio == wire.AudioParams("pcm_s16le", 24_000, 1)
    assert usual.endpointing == wire.Endpointing(silence_ms=500)
    assert (usual.languages, usual.interim) == ([], "append")
    assert opened(input_audio_format="g711_ulaw").audio == wire.AudioParams("mulaw", 8000, 1)
    assert opened(audio={"input": {"format": {"type": "audio/pcma"}}}).audio == wire.AudioParams("alaw", 8000, 1)
    assert opened(input_audio_transcription={"language": "fr"}).languages == ["fr"]
    assert opened(turn_detection=None).endpointing == wire.Endpointing(mode="client")
    eager = {"type": "semantic_vad", "eagerness": "high"}
    assert opened(audio={"input": {"turn_detection": eager}}).endpointing == wire.Endpointing(silence_ms=300)


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"audio": {"input": {"format": {"type": "audio/pcm", "rate": 4000}}}}, "session.audio.input.format.rate"),
        ({"audio": {"input": {"format": {"type": "audio/mp3"}}}}, "session.audio.input.format.type"),
        ({"turn_detection": {"type": "server_vad", "silence_duration_ms": 1}}, "session.turn_detection"),
        ({"input_audio_transcription": {"language": "klingon"}}, "session.audio.input.transcription.language"),
        ({"input_audio_transcription": {"language": "spa"}}, "session.audio.input.transcription.language"),
    ],
)
def test_settings_that_cannot_be_had_are_refused_by_name_and_change_nothing(given, param):
    adapter = OpenAiRealtime(("eng",))
    error = replies(adapter, type="session.update", session={**given, "include": ["x"]}, event_id="mine")[0]["error"]
    assert error["param"].startswith(param)
    assert error["event_id"] == "mine"
    assert replies(adapter, type="session.update", session={})[0]["session"]["include"] is None


def test_before_there_is_audio_nothing_can_be_committed():
    adapter = OpenAiRealtime(("eng",))
    assert kinds([json.loads(text) for text in adapter.greet()]) == ["session.created"]
    assert kinds(replies(adapter, type="input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]
    assert kinds(replies(adapter, type="input_audio_buffer.commit")) == ["error"]
    assert adapter.incoming('{"type":"input_audio_buffer.append","audio":""}') == []
    assert kinds(replies(adapter, type="input_audio_buffer.append", audio="AA==")) == ["error"]  # half a sample
    assert isinstance(adapter.incoming(b"\0\0")[0], Reply)
