"""Translations that are said while the speaker goes on, over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from click.testing import Result
from typer.testing import CliRunner

from serve import stream_command, translation_player
from serve.client import ServerError, StreamClient
from speech.audio.input.files import load_audio
from speech.audio.input.pcm import to_pcm16
from speech.cli.commands import app
from speech.data.manifest import read_manifest
from speech.errors import AudioError
from tests.conftest import CLIPS
from tests.serve.conftest import Running, play, running, until
from tests.serve.test_conversing_client import Loud
from tests.tiny_voice import save_tiny_voice

WRITTEN = {"policy": "align_att", "latency_ms": 300, "append": True}
SAID = {"target": "eng", "least_words": 1, "patience_ms": 200}
Event = dict[str, Any]


@pytest.fixture(scope="module")
def interpreting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with a voice, and without answers."""
    with running(voice_model=str(save_tiny_voice(tmp_path_factory.mktemp("voice") / "tiny")), resume_s=20.0) as server:
        yield server


@pytest.fixture(scope="module")
def spanish() -> bytes:
    clips = [one for one in read_manifest(CLIPS) if one.language == "spa"]
    return to_pcm16(np.concatenate([load_audio(clip.audio) for clip in clips[:2]]))


def of(events: list[Event], kind: str) -> list[Event]:
    return [event for event in events if event["type"] == kind]


def check_track(events: list[Event]) -> np.ndarray:
    """The samples that were said, which follow each other."""
    sounds, place, begun = of(events, "translation_audio"), 0, False
    for sound in sounds:
        assert sound["start_ms"] == pytest.approx(1000 * place / sound["sample_rate"], abs=1)
        place += len(sound["pcm"]) // 2
        assert ("text" in sound) is not begun
        begun = not sound["last"]
    assert not begun
    starts = [word["start_ms"] for sound in sounds for word in sound["words"]]
    assert starts == sorted(starts)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    return np.frombuffer(b"".join(sound["pcm"] for sound in sounds), "<i2")


def texts(events: list[Event]) -> str:
    return " ".join(sound["text"] for sound in of(events, "translation_audio") if "text" in sound)


def written(events: list[Event]) -> str:
    return " ".join(event["text"] for event in of(events, "translation") if event["is_final"] and event["text"])


def letters(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("translation", [WRITTEN, None])
def test_what_is_written_is_said_and_the_end_comes_behind_it(interpreting, spanish, translation):
    policy = {"translation": translation} if translation else {}
    events = play(interpreting, spanish, languages=["spa"], targets=["eng"], interpret=SAID, **policy)
    samples = check_track(events)
    assert np.abs(samples).max() > 300
    assert letters(texts(events)) == letters(written(events)) != ""
    assert events[-1]["type"] == "end"
    first = of(events, "translation_audio")[0]
    assert first["target"] == "eng"
    assert 0 <= first["source"][0] < first["source"][1] <= len(spanish) / 32
    kinds = [event["type"] for event in events]
    assert kinds.index("translation") < kinds.index("translation_audio")
    metrics = httpx.get(f"{interpreting.http}/metrics").text
    assert 'speech_translated_utterances_total{status="said"}' in metrics
    assert "speech_translation_behind_seconds_count" in metrics


def test_a_client_that_was_cut_off_hears_everything_once(interpreting, spanish):
    async def run() -> list[Event]:
        events: list[Event] = []
        options = {"languages": ["spa"], "targets": ["eng"], "translation": WRITTEN, "interpret": SAID}
        async with StreamClient(f"{interpreting.ws}/v1/stream", **options) as client:

            async def listen() -> None:
                async for event in client:
                    events.append(event)

            listener = asyncio.create_task(listen())
            await client.send(spanish)
            await until(lambda: of(events, "translation_audio"), 60)
            assert client._socket is not None
            client._socket.transport.abort()
            await client.stop()
            await asyncio.wait_for(listener, 120)
            assert client.reconnect_attempts >= 1
        return events

    events = asyncio.run(run())
    check_track(events)
    assert letters(texts(events)) == letters(written(events)) != ""


def test_an_update_begins_and_ends_what_is_said_and_is_refused_where_nothing_could_be(interpreting, spanish):
    async def run() -> list[Event]:
        events: list[Event] = []
        url, half = f"{interpreting.ws}/v1/stream", len(spanish) // 4 * 2
        async with StreamClient(url, languages=["spa"], targets=["eng"], translation=WRITTEN) as client:

            async def listen() -> None:
                async for event in client:
                    events.append(event)

            listener = asyncio.create_task(listen())
            await client.say({"type": "update", "interpret": SAID})
            await client.send(spanish[:half])
            await until(lambda: of(events, "translation_audio"), 60)
            await client.say({"type": "update", "targets": []})
            await client.say({"type": "update", "translation": {"policy": "align_att"}})
            await client.say({"type": "update", "interpret": {"target": "deu"}})
            await client.say({"type": "update", "interpret": None})
            await until(lambda: len(of(events, "updated")) == 2, 60)
            await client.say({"type": "finalize", "id": "rest"})
            await until(lambda: of(events, "finalized"), 60)
            await client.send_all([spanish[half:]])
            await asyncio.wait_for(listener, 120)
        return events

    events = asyncio.run(run())
    check_track(events)
    assert [error["code"] for error in of(events, "error")] == ["bad_config"] * 3
    assert len(texts(events)) < len(written(events))


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ({"interpret": {"target": "eng"}}, "bad_config", "not among the targets"),
        ({"targets": ["eng"], "interpret": {"target": "eng", "voice": "nobody"}}, "bad_config", "nobody"),
        ({"targets": ["eng"], "interpret": {"target": "eng"}, "dialogue": {}}, "bad_config", "not both"),
        (
            {"targets": ["eng"], "interpret": {"target": "eng"}, "translation": {"policy": "align_att"}},
            "bad_config",
            "append",
        ),
        ({"targets": ["eng"], "interpret": {"target": "eng", "rate": 3.0}}, "bad_message", "rate"),
        ({"targets": ["eng"], "interpret": {"voice": "ann"}}, "bad_message", "target"),
    ],
)
def test_what_cannot_be_is_refused_at_the_start(interpreting, options, code, said):
    async def run() -> None:
        async with StreamClient(f"{interpreting.ws}/v1/stream", **options):
            pass

    with pytest.raises(ServerError, match=said) as refused:
        asyncio.run(run())
    assert refused.value.code == code


def test_a_server_without_a_voice_refuses_and_says_how_it_gets_one(server):
    async def run() -> None:
        async with StreamClient(f"{server.ws}/v1/stream", targets=["eng"], interpret={"target": "eng"}):
            pass

    with pytest.raises(ServerError, match="--voice-model") as refused:
        asyncio.run(run())
    assert refused.value.code == "no_voice"


def test_sessions_that_say_nothing_of_it_get_no_sound(interpreting, spanish):
    events = play(interpreting, spanish[:64_000], languages=["spa"], targets=["eng"])
    assert not of(events, "translation_audio")
    assert all(one["seq"] + 1 == other["seq"] for one, other in pairwise(events))


def streamed(server: Running, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["stream", *arguments, "--url", f"{server.ws}/v1/stream", "--language", "spa"])


@pytest.mark.parametrize("policy", [[], ["--policy", "align_att", "--latency-ms", "300"]])
def test_the_command_records_the_translation_beside_the_speaker(interpreting, spanish, tmp_path, policy):
    clip = np.frombuffer(spanish, "<i2")
    soundfile.write(tmp_path / "a.wav", clip, 16_000)
    both = tmp_path / "both.wav"
    given = ["--to", "eng", *policy, "--speak", "--voice", "ann", "--output", str(both), "--pace", "0", "--jsonl"]
    result = streamed(interpreting, str(tmp_path / "a.wav"), *given)
    assert result.exit_code == 0, result.output
    events = [json.loads(line) for line in result.output.splitlines()]
    sounds = of(events, "translation_audio")
    assert sounds
    assert not any("pcm" in event for event in events)
    samples, rate = soundfile.read(both)
    assert rate == sounds[0]["sample_rate"]
    user, voice = samples.T
    assert np.abs(user[: len(clip) * rate // 16_000]).max() > 0.05
    assert np.abs(voice).max() > 0.01


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--speak"], "one translation, not 0"),
        (["--speak", "--to", "eng", "--to", "deu"], "one translation, not 2"),
        (["--to", "eng", "--output", "a.wav"], "Add --speak"),
        (["--to", "eng", "--voice", "ann"], "Add --speak"),
        (["--speak", "--to", "eng", "--voice", "nobody", "--output", "a.wav"], "nobody"),
    ],
)
def test_what_the_command_cannot_say_is_refused(interpreting, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    soundfile.write("b.wav", np.zeros(1600, np.float32), 16_000)
    result = streamed(interpreting, "b.wav", *arguments)
    assert result.exit_code == 1
    assert said in f"{result.output}{result.exception}"


def test_a_loudspeaker_that_fails_ends_the_command_with_its_error(interpreting, spanish, tmp_path, monkeypatch):
    class Broken(Loud):
        def write(self, samples):
            raise AudioError("stopped playing", where="the loudspeaker")

    monkeypatch.setattr(stream_command, "check_player", lambda: None)
    monkeypatch.setattr(translation_player, "Player", Broken)
    soundfile.write(tmp_path / "a.wav", np.frombuffer(spanish, "<i2"), 16_000)
    result = streamed(interpreting, str(tmp_path / "a.wav"), "--to", "eng", "--speak", "--pace", "0")
    assert result.exit_code == 1
    assert isinstance(result.exception, AudioError) or "stopped playing" in result.output
