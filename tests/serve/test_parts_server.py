"""A server whose model hears whole parts alone: the same finals as files, partial results, and what it refuses."""

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile

from serve.client import StreamClient
from speech import Recognizer
from speech.audio.input.pcm import to_pcm16
from speech.errors import ConfigError
from speech.models.precision import Precision
from tests.serve.conftest import Running, finals, running


@pytest.fixture(scope="module")
def parts(whisper_checkpoint) -> Iterator[Running]:
    with running(model=str(whisper_checkpoint), precision="float32") as found:
        yield found


@pytest.fixture(scope="module")
def audio(speech) -> np.ndarray:
    return np.concatenate([speech, np.zeros(9600, np.float32)])


@pytest.fixture(scope="module")
def said(whisper_checkpoint, audio) -> str:
    recognizer = Recognizer.from_pretrained(str(whisper_checkpoint), precision=Precision.float32)
    heard = np.frombuffer(to_pcm16(audio), np.int16).astype(np.float32) / 32768
    return recognizer.transcribe(heard).text


async def stream(parts: Running, blocks: list[bytes], pause_s: float = 0.0, **options: Any) -> list[dict[str, Any]]:
    events = []
    async with StreamClient(f"{parts.ws}/v1/stream", **options) as client:

        async def listen() -> None:
            async for event in client:
                events.append(event)

        listener = asyncio.create_task(listen())
        for block in blocks:
            await client.send(block)
            await asyncio.sleep(pause_s)
        await client.send_all([])
        await asyncio.wait_for(listener, 60)
    return events


def pieces(pcm: bytes, seed: int) -> list[bytes]:
    chance, found, start = random.Random(seed), [], 0
    while start < len(pcm):
        size = 2 * chance.randint(1, 16_000)
        found.append(pcm[start : start + size])
        start += size
    return found


@pytest.mark.parametrize("seed", [0, 1])
def test_finals_over_the_socket_are_the_text_of_the_file(parts, audio, said, seed):
    events = asyncio.run(stream(parts, pieces(to_pcm16(audio), seed)))
    assert events[0]["type"] == "started"
    assert events[0]["live"] == "parts"
    assert events[0]["languages"] == ["eng", "deu", "spa"]
    assert said
    assert finals(events) == said
    assert events[-1]["type"] == "end"
    assert {"speech_started", "endpoint", "language"} <= {event["type"] for event in events}


def test_partial_results_come_while_somebody_speaks(parts, audio, said):
    blocks = [to_pcm16(audio[start : start + 3200]) for start in range(0, len(audio), 3200)]
    events = asyncio.run(stream(parts, blocks, pause_s=0.05))
    assert finals(events) == said
    registry = parts.registry
    assert not registry.failed
    quiet = asyncio.run(stream(parts, blocks, interim="off"))
    assert all(event["is_final"] for event in quiet if event["type"] == "transcript")


def test_a_file_over_http_is_what_the_recognizer_says(parts, audio, said, tmp_path):
    soundfile.write(tmp_path / "a.wav", audio, 16_000, subtype="PCM_16")
    with (tmp_path / "a.wav").open("rb") as file:
        answer = httpx.post(f"{parts.http}/v1/audio/transcriptions", files={"file": file}, timeout=60)
    assert answer.json()["text"] == said
    with (tmp_path / "a.wav").open("rb") as file:
        answer = httpx.post(f"{parts.http}/v1/audio/translations", files={"file": file}, timeout=60)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "no_translation")


def test_what_needs_ctc_is_refused_by_name(parts, audio, whisper_checkpoint, tmp_path):
    with pytest.raises(Exception, match="phrases: this model has no CTC"):
        asyncio.run(stream(parts, [to_pcm16(audio)], phrases=["new york"]))
    listing = httpx.get(f"{parts.http}/v1/adapters").json()
    assert listing["data"] == []
    assert listing["parameters"] > 0
    (tmp_path / "adapters").mkdir()
    with (
        pytest.raises(ConfigError, match="adapters: this model has no CTC"),
        running(model=str(whisper_checkpoint), adapters=str(tmp_path / "adapters")),
    ):
        pass
    with running(model=str(whisper_checkpoint), allow_adapters=True, api_keys=("key",)) as changeable:
        answer = httpx.put(
            f"{changeable.http}/v1/adapters/deu", content=b"x" * 99, headers={"Authorization": "Bearer key"}
        )
        assert answer.status_code == 400
        assert "has no CTC" in answer.json()["error"]["message"]
