"""OpenAI's realtime transcription: its own SDK over a real socket, and what items come of."""

import asyncio
import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter
from websockets.sync.client import ClientConnection, connect

from serve import protocol as wire
from serve.openai_items import Flush, Items
from serve.openai_realtime import OpenAiRealtime
from serve.shell import Reply
from speech import Recognizer
from speech.audio.pcm import to_pcm16
from tests.serve.conftest import Running

TRANSCRIPTION = "conversation.item.input_audio_transcription"
PATH = "/v1/realtime?intent=transcription"
_official: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)


@pytest.fixture(scope="module")
def pcm24(speech: np.ndarray) -> bytes:
    """The speech of the tests and a pause, as the clients' usual PCM16 at 24 kHz."""
    return to_pcm16(soxr.resample(np.append(speech, np.zeros(12_800, np.float32)), 16_000, 24_000))


def from_pcm(pcm: bytes) -> np.ndarray:
    return np.frombuffer(pcm, "<i2").astype(np.float32) / 32768


def of(events: Sequence[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["type"] == kind]


def kinds(events: Sequence[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix(f"{TRANSCRIPTION}.") for event in events]


def joined(events: Sequence[dict[str, Any]]) -> str:
    return " ".join(e["transcript"] for e in of(events, f"{TRANSCRIPTION}.completed") if e["transcript"])


def check_items(events: Sequence[dict[str, Any]]) -> None:
    """Items are announced before their words, whose deltas joined are the transcript, and name the one before."""
    announced = [e["item_id"] for e in of(events, "input_audio_buffer.committed")]
    previous = [e["previous_item_id"] for e in of(events, "input_audio_buffer.committed")]
    completed = of(events, f"{TRANSCRIPTION}.completed")
    assert [e["item_id"] for e in completed] == announced
    assert previous == [None, *announced[:-1]][: len(announced)]
    for item in completed:
        own = [e for e in events if item["item_id"] in (e.get("item_id"), e.get("item", {}).get("id"))]
        own = [e for e in own if not e["type"].startswith("input_audio_buffer.speech")]
        assert "".join(e["delta"] for e in own if "delta" in e) == item["transcript"]
        middle = ["delta"] * len([e for e in own if "delta" in e])
        assert kinds(own) == [
            "input_audio_buffer.committed", "conversation.item.added", *middle, "completed", "conversation.item.done",
        ]  # fmt: skip


# The official client


async def append(connection: AsyncRealtimeConnection, pcm: bytes) -> None:
    for start in range(0, len(pcm), 9600):
        await connection.input_audio_buffer.append(audio=base64.b64encode(pcm[start : start + 9600]).decode())


async def until(connection: AsyncRealtimeConnection, last: str) -> list[dict[str, Any]]:
    """Events, each as the SDK's types want it."""
    events = []
    while not events or events[-1]["type"] != last:
        events.append(json.loads(await asyncio.wait_for(connection.recv_bytes(), 60)))
        _official.validate_python(events[-1], strict=True)
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
    return [json.loads(item.text) for item in items if isinstance(item, Reply)]


def opened(**given: Any) -> wire.Start:
    adapter = OpenAiRealtime(("eng", "fra"))
    answer = replies(adapter, type="session.update", session=given)[0]
    assert answer["type"] == "session.updated", answer
    event = {"type": "input_audio_buffer.append", "audio": base64.b64encode(b"\0\0").decode()}
    start, data = adapter.incoming(json.dumps(event))
    assert data == b"\0\0"
    assert isinstance(start, wire.Start)
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


# Items without a session


def transcript(
    text: str, *, after: str = "", final: bool = True, reason: str = "silence", segment: int = 0, audio_ms: int = 1000
) -> wire.Transcript:
    """A revision in the form of `append`: `text` behind `after`."""
    old, fresh = after.split(), text.split()
    listed = [wire.WordInfo(word, 0, 10, 0.5, "eng") for word in ([*old, *fresh] if final else fresh)]
    message = wire.Transcript(
        seq=1, segment=segment, rev=0, is_final=final, stable=len(old) + len(fresh), start_ms=0, end_ms=0,
        audio_ms=audio_ms, lag_ms=0, languages=[], words=listed, delta=f" {text}" if after and text else text,
    )  # fmt: skip
    if final:
        message.reason = reason
    return message


def endpoint(at_ms: int, reason: str = "silence") -> wire.Endpoint:
    return wire.Endpoint(seq=1, at_ms=at_ms, reason=reason, latency_ms=0)


def speech(at_ms: int) -> wire.SpeechStarted:
    return wire.SpeechStarted(seq=1, at_ms=at_ms)


FINALIZED = wire.Finalized(seq=1, id=None, at_ms=3000)


def made(*messages: wire.ServerMessage, flushes: Sequence[Flush] = (), manual: bool = False) -> list[dict[str, Any]]:
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
    events = made(*messages, flushes=[Flush.commit], manual=manual)
    check_items(events)
    assert len(of(events, f"{TRANSCRIPTION}.completed")) == 1


@pytest.mark.parametrize("manual", [False, True])
def test_what_is_cleared_is_not_said(manual):
    flushed = [endpoint(2900, "client"), transcript("b", reason="client"), FINALIZED]
    events = made(*flushed, flushes=[Flush.clear], manual=manual)
    assert kinds(events) == ["input_audio_buffer.cleared"]


def test_what_was_said_before_a_clear_stays_said():
    items = Items()
    events = items.take(transcript("a", final=False))
    items.flushes.append(Flush.clear)
    for message in (transcript("b", after="a", reason="client"), FINALIZED):
        events += items.take(message)
    check_items(events)
    assert joined(events) == "a"


def test_segments_between_two_commits_are_one_item():
    events = made(
        transcript("a", reason="max_length"), transcript("b", segment=1, final=False),
        transcript("c", after="b", segment=1, reason="client"), FINALIZED,
        flushes=[Flush.commit], manual=True,
    )  # fmt: skip
    check_items(events)
    assert joined(events) == "a b c"


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
            items.flushes.append(Flush[step])
            if part:
                messages = [transcript("", after=part, segment=segment, reason="client", audio_ms=now)]
                segment, part = segment + 1, ""
            messages.append(wire.Finalized(seq=1, id=None, at_ms=now))
        events += [record for message in messages for record in items.take(message)]
    items.flushes.append(Flush.commit)
    events += items.take(wire.Finalized(seq=1, id=None, at_ms=now))
    check_items(events)
