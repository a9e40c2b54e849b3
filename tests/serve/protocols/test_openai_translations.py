"""OpenAI's realtime translation: its own SDK over a real socket, and event by event."""

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import soxr
from openai import AsyncOpenAI
from openai.resources.realtime.translations.translations import AsyncTranslationsConnection
from openai.types.realtime import RealtimeTranslationServerEvent
from pydantic import TypeAdapter

from serve.net.websocket import Reply
from serve.protocols import wire
from serve.protocols.interpreting_messages import Interpreting, TranslationAudio
from serve.protocols.openai_translations import OpenAiTranslations
from serve.sessions.options import Refused
from speech.audio.input.pcm import to_pcm16
from tests.serve.conftest import Running, facts, play, running
from tests.serve.openai_events import of
from tests.tiny_voice import save_tiny_voice

SOURCE, TARGET = "session.input_transcript.delta", "session.output_transcript.delta"
_official: TypeAdapter[Any] = TypeAdapter(RealtimeTranslationServerEvent)


@pytest.fixture(scope="module")
def pcm24(speech: np.ndarray) -> bytes:
    return to_pcm16(soxr.resample(speech, 16_000, 24_000))


async def append(connection: AsyncTranslationsConnection, pcm: bytes) -> None:
    for start in range(0, len(pcm), 9600):
        audio = base64.b64encode(pcm[start : start + 9600]).decode()
        await connection.send({"type": "session.input_audio_buffer.append", "audio": audio})


async def until(connection: AsyncTranslationsConnection, last: str) -> list[dict[str, Any]]:
    """Events, each as the SDK's types want it."""
    events = []
    while not events or events[-1]["type"] != last:
        events.append(json.loads(await asyncio.wait_for(connection.recv_bytes(), 60)))
        _official.validate_python(events[-1], strict=True)
    return events


def talk(server: Running, conversation: Callable[[AsyncTranslationsConnection], Any]) -> list[dict[str, Any]]:
    async def run() -> list[dict[str, Any]]:
        async with (
            AsyncOpenAI(api_key="any", base_url=f"{server.http}/v1") as client,
            client.realtime.translations.connect(model="gpt-realtime-translate") as connection,
        ):
            return await conversation(connection)

    return asyncio.run(run())


def text(events: list[dict[str, Any]], kind: str) -> str:
    return "".join(event["delta"] for event in of(events, kind))


def test_the_sdk_hears_the_translation_and_the_transcript_of_an_appending_session(server: Running, pcm24):
    async def conversation(connection: AsyncTranslationsConnection) -> list[dict[str, Any]]:
        events = await until(connection, "session.created")
        audio = {"output": {"language": "en"}, "input": {"transcription": {"model": "gpt-realtime-whisper"}}}
        await connection.send({"type": "session.update", "session": {"audio": audio}})
        events += await until(connection, "session.updated")
        await append(connection, pcm24)
        await connection.send({"type": "session.close"})
        return events + await until(connection, "session.closed")

    events = talk(server, conversation)
    created, updated = of(events, "session.created")[0]["session"], of(events, "session.updated")[0]["session"]
    assert (created["model"], created["type"]) == ("gpt-realtime-translate", "translation")
    assert (created["audio"]["input"]["transcription"], created["audio"]["output"]) == (None, {"language": "en"})
    assert updated["audio"]["input"]["transcription"] == {"model": "gpt-realtime-whisper"}
    rules = {"policy": "align_att", "append": True}
    audio = {"sample_rate": 24_000}
    native = play(server, pcm24, targets=["eng"], translation=rules, audio=audio)
    finals = [event for event in native if event.get("is_final") and event["text"]]
    for kind, name in ((TARGET, "translation"), (SOURCE, "transcript")):
        assert text(events, kind) == " ".join(event["text"] for event in finals if event["type"] == name) != ""
    assert len(of(events, TARGET)) > 3
    assert len({event["event_id"] for event in events}) == len(events)
    assert all(event["elapsed_ms"] <= len(pcm24) / 48 + 1 for event in of(events, TARGET))


def test_without_transcription_there_is_the_translation_alone_and_another_policy_may_write_it(server: Running, pcm24):
    async def conversation(connection: AsyncTranslationsConnection) -> list[dict[str, Any]]:
        rules = {"policy": "local_agreement", "n": 2}
        await connection.send({"type": "session.update", "session": {"translation": rules}})
        await append(connection, pcm24)
        await connection.send({"type": "session.update", "session": {"translation": None}})
        await connection.send({"type": "session.close"})
        return await until(connection, "session.closed")

    events = talk(server, conversation)
    assert text(events, TARGET)
    assert not of(events, SOURCE)
    policies = [event["session"]["translation"]["policy"] for event in of(events, "session.updated")]
    assert policies == ["local_agreement", "align_att"]
    assert not of(events, "error")


def test_a_session_may_be_closed_before_it_has_any_audio(server: Running):
    async def conversation(connection: AsyncTranslationsConnection) -> list[dict[str, Any]]:
        await connection.send({"type": "session.close"})
        return await until(connection, "session.closed")

    assert [event["type"] for event in talk(server, conversation)] == ["session.created", "session.closed"]


@pytest.fixture(scope="module")
def speaking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with a voice of another rate than the protocol's."""
    with running(voice_model=str(save_tiny_voice(tmp_path_factory.mktemp("voice") / "tiny"))) as found:
        yield found


def test_the_sdk_hears_the_translation_aloud_where_the_server_has_a_voice(speaking: Running, pcm24):
    async def conversation(connection: AsyncTranslationsConnection) -> list[dict[str, Any]]:
        await append(connection, pcm24)
        await connection.send({"type": "session.close"})
        return await until(connection, "session.closed")

    events = talk(speaking, conversation)
    assert text(events, TARGET)
    sounds = of(events, "session.output_audio.delta")
    assert {(event["sample_rate"], event["channels"], event["format"]) for event in sounds} == {(24_000, 1, "pcm16")}
    heard = np.frombuffer(b"".join(base64.b64decode(event["delta"]) for event in sounds), "<i2")
    assert len(heard) > 12_000
    assert np.abs(heard).max() > 300
    last = max(event["elapsed_ms"] for event in of(events, TARGET))
    assert all(0 < event["elapsed_ms"] <= last for event in sounds)
    kinds = [event["type"] for event in events]
    assert kinds.index(TARGET) < kinds.index("session.output_audio.delta")


# Events without a socket


def replies(adapter: OpenAiTranslations, **event: Any) -> list[dict[str, Any]]:
    items = adapter.incoming(json.dumps(event))
    return [json.loads(item.frame) for item in items if isinstance(item, Reply)]


@pytest.mark.parametrize(
    ("session", "param", "said"),
    [
        ({"audio": {"output": {"language": "klingon"}}}, "session.audio.output.language", "klingon"),
        ({"audio": {"output": {"language": "de"}}}, "session.audio.output.language", "translates into: eng"),
        ({"translation": {"policy": "guess"}}, "session.translation.policy", "Invalid enum value 'guess'"),
        ({"translation": {"policy": "emma"}}, "session.translation", "no trained policy"),
        ({"translation": {"policy": "hold_n", "latency_ms": 500}}, "session.translation", "latency_ms is not"),
        ({"type": "transcription"}, "session.type", "sessions here translate"),
    ],
)
def test_what_is_not_offered_is_refused_by_name_and_changes_nothing(session, param, said):
    adapter = OpenAiTranslations(facts())
    noise = {"input": {"noise_reduction": {"type": "near_field"}}}
    given = {**session, "audio": noise | session.get("audio", {})}
    error = replies(adapter, type="session.update", session=given, event_id="mine")[0]["error"]
    assert (error["param"], error["event_id"]) == (param, "mine")
    assert said in error["message"]
    unchanged = replies(adapter, type="session.update", session={})[0]["session"]
    assert unchanged["audio"]["input"]["noise_reduction"] is None


def test_settings_become_the_options_of_the_session():
    adapter = OpenAiTranslations(facts(), "gpt-realtime-translate")
    audio = base64.b64encode(b"\0\0").decode()
    start, data = adapter.incoming(json.dumps({"type": "session.input_audio_buffer.append", "audio": audio}))
    assert data == b"\0\0"
    assert isinstance(start, wire.StartMessage)
    assert start.audio == wire.AudioParams("pcm_s16le", 24_000, 1)
    assert (start.targets, start.interim) == (["eng"], "append")
    assert start.translation == wire.Translating("align_att", append=True)
    assert replies(adapter, type="session.input_audio_buffer.append", audio="AA==")[0]["type"] == "error"
    assert replies(adapter, type="response.create")[0]["error"]["code"] == "invalid_value"


def test_a_target_that_is_not_drafted_is_written_part_by_part():
    known = facts()
    known.targets, known.drafts_into = ("spa", "eng"), ("eng",)
    adapter = OpenAiTranslations(known)
    spanish = replies(adapter, type="session.update", session={"audio": {"output": {"language": "es"}}})[0]["session"]
    assert spanish["translation"]["policy"] == "complete"
    assert spanish["audio"]["output"]["language"] == "es"
    error = replies(adapter, type="session.update", session={"translation": {"policy": "wait_k"}})[0]["error"]
    assert "writes into eng only" in error["message"]


def test_an_update_of_a_session_is_confirmed_by_it_or_refused():
    adapter = OpenAiTranslations(facts())
    adapter.incoming(json.dumps({"type": "session.input_audio_buffer.append", "audio": "AAA="}))
    update = adapter.incoming(json.dumps({"type": "session.update", "session": {"translation": {"policy": "hold_n"}}}))
    assert update == [wire.Update(targets=["eng"], translation=wire.Translating("hold_n", append=True), interpret=None)]
    confirmed = json.loads(adapter.outgoing(wire.Updated(seq=1, from_ms=0))[0])
    assert (confirmed["type"], confirmed["session"]["translation"]["policy"]) == ("session.updated", "hold_n")
    adapter.incoming(json.dumps({"type": "session.update", "session": {}}))
    refused = wire.Error(seq=2, code="bad_config", message="gone", fatal=False, retryable=False)
    assert json.loads(adapter.outgoing(refused)[0])["error"]["message"] == "gone"


def test_what_the_voice_does_not_speak_is_text_alone_also_after_an_update():
    known = facts()
    known.targets = known.drafts_into = ("spa", "eng")
    adapter = OpenAiTranslations(known, speaks={"eng"}.__contains__)
    start, _ = adapter.incoming(json.dumps({"type": "session.input_audio_buffer.append", "audio": "AAA="}))
    assert isinstance(start, wire.StartMessage)
    assert start.interpret == Interpreting("eng")
    spanish = {"type": "session.update", "session": {"audio": {"output": {"language": "es"}}}}
    (update,) = adapter.incoming(json.dumps(spanish))
    assert isinstance(update, wire.Update)
    assert (update.targets, update.interpret) == (["spa"], None)


def test_speech_is_resampled_and_its_rest_comes_before_the_end():
    adapter = OpenAiTranslations(facts(), speaks=lambda code: True)
    pcm = to_pcm16(np.sin(np.arange(16_000) / 20).astype(np.float32))
    sound = TranslationAudio(
        seq=1, target="eng", sample_rate=16_000, start_ms=0, words=[], source=[0, 1], text="a", pcm=pcm
    )
    end = wire.End(seq=2, audio_ms=1, segments=1, words=1, reason="client", latency=wire.Latency(None, None, 0.0, 0.0))
    events = [json.loads(frame) for message in (sound, end) for frame in adapter.outgoing(message)]
    assert [event["type"] for event in events][-1] == "session.closed"
    assert sum(len(base64.b64decode(event["delta"])) for event in events[:-1]) == pytest.approx(48_000, abs=4)


def test_a_model_that_does_not_translate_is_said_at_once():
    known = facts()
    known.targets = known.drafts_into = ()
    with pytest.raises(Refused, match="does not translate"):
        OpenAiTranslations(known).greet()
