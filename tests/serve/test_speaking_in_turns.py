"""Texts of several clients at once, window by window in turns: each is heard as if it were alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import httpx
import numpy as np
import pytest
import torch
from websockets.sync.client import ClientConnection, connect

from speech.audio.output import int16_samples
from speech.models.kokoro import KokoroRequest
from speech.models.kokoro_checkpoint import save_kokoro_checkpoint
from speech.models.kokoro_windows import FIRST_FRAMES, MOST_FRAMES
from speech.nn.kokoro.norm_statistics import measuring
from speech.speaker import Speaker
from speech.tts.speech_stream import SpeakingOptions
from speech.tts.watermark import WatermarkChoice
from tests.serve.conftest import Running, running
from tests.tts.kokoro_voices import VOICES, kokoro_checkpoint, letters_program

TEXTS = (
    "Hello there, Anna. It was not so, and she said it. Then she left.",
    "The other one is here. We see it, too.",
    "She sells shells there. She sells them all, in the end.",
    "One line.",
)
FRAME = 24
"""Samples of a frame of the small model."""


@pytest.fixture(scope="module")
def spoken(tmp_path_factory) -> Iterator[tuple[Running, Speaker]]:
    """A server with a voice that speaks in windows, and the same voice here."""
    folder = tmp_path_factory.mktemp("speech")
    checkpoint = kokoro_checkpoint()
    assert checkpoint.model.frame_samples == FRAME
    with measuring(checkpoint.model.decoder) as meter:
        ids = checkpoint.symbols.encode("hello there").ids
        checkpoint.model.speak([KokoroRequest(ids=ids, style=checkpoint.voices[VOICES[0]].style_of(len(ids)))])
    norms = torch.stack([meter.statistics().means, meter.statistics().variances])
    voices = {name: replace(voice, norms=norms) for name, voice in checkpoint.voices.items()}
    save_kokoro_checkpoint(folder / "model", replace(checkpoint, voices=voices), card="# small\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{letters_program(folder / 'bin')}:/usr/bin:/bin")
        speaker = Speaker.from_pretrained(str(folder / "model"), watermark=WatermarkChoice(on=False))
        with running(voice_model=str(folder / "model"), watermark=False, max_speech_requests=6) as server:
            yield server, speaker


def said_here(speaker: Speaker, text: str) -> np.ndarray:
    return int16_samples(speaker.say(text, SpeakingOptions(language="eng", voice=VOICES[0], rate=0.5)).samples)


def tell(socket: ClientConnection, kind: str, **fields) -> None:
    socket.send(json.dumps({"type": kind, **fields}))


def packets(socket: ClientConnection, until: str) -> list[np.ndarray]:
    """Audio up to a message."""
    found = []
    while True:
        frame = socket.recv(timeout=60)
        if isinstance(frame, bytes):
            found.append(np.frombuffer(frame, "<i2"))
        elif (kind := json.loads(frame)["type"]) not in ("started", "words"):
            assert kind == until, frame
            return found


@contextmanager
def opened(server: Running) -> Iterator[ClientConnection]:
    with connect(f"{server.ws}/v1/speak", subprotocols=["speech.v1"]) as socket:
        tell(socket, "start", language="eng", voice=VOICES[0], rate=0.5)
        yield socket


def over_a_websocket(server: Running, text: str) -> np.ndarray:
    with opened(server) as socket:
        for start in range(0, len(text), 3):
            tell(socket, "text", text=text[start : start + 3])
        tell(socket, "end")
        return np.concatenate(packets(socket, "done"))


def over_http(server: Running, text: str) -> np.ndarray:
    wanted = {"input": text, "voice": VOICES[0], "response_format": "pcm", "language": "eng", "speed": 0.5}
    response = httpx.post(f"{server.http}/v1/audio/speech", json=wanted, timeout=60)
    assert response.status_code == 200, response.text
    return np.frombuffer(response.content, "<i2")


def cancelling(server: Running, text: str) -> np.ndarray:
    """Cancels a text after its first audio, and has it said from its beginning."""
    with opened(server) as socket:
        tell(socket, "text", text=text * 3)
        while not isinstance(socket.recv(timeout=60), bytes):
            pass
        tell(socket, "cancel")
        packets(socket, "cancelled")
        tell(socket, "text", text=text)
        tell(socket, "end")
        return np.concatenate(packets(socket, "done"))


def test_each_client_hears_its_text_as_said_alone_to_the_last_bit(spoken):
    server, speaker = spoken
    ways = (over_a_websocket, over_http, cancelling, over_a_websocket, cancelling, over_http)
    texts = [TEXTS[number % len(TEXTS)] for number in range(len(ways))]
    wanted = [said_here(speaker, text) for text in texts]
    with ThreadPoolExecutor(len(ways)) as pool:
        works = [pool.submit(way, server, text) for way, text in zip(ways, texts, strict=True)]
        found = [work.result(120) for work in works]
    for audio, expected in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(audio, expected)
    metrics = httpx.get(f"{server.http}/metrics").text
    assert "speech_late_packets_total" in metrics
    assert server.server.config.app.state.parts.speech.speaking == 0


def test_first_windows_are_small_at_the_beginning_of_a_text_and_behind_a_flush_and_a_cancel_only(spoken):
    server, _ = spoken
    with opened(server) as socket:
        for order in ("flush", "flush", "cancel", "end"):
            tell(socket, "text", text=TEXTS[0])
            if order == "cancel":
                while not isinstance(socket.recv(timeout=60), bytes):
                    pass
                tell(socket, "cancel")
                packets(socket, "cancelled")
                continue
            tell(socket, order)
            said = packets(socket, "done" if order == "end" else "flushed")
            sizes = [len(audio) // FRAME for audio in said if audio.any()]  # without the pause behind a flush
            assert sizes[0] == FIRST_FRAMES
            assert sizes.count(FIRST_FRAMES) == 1
            assert sizes.count(MOST_FRAMES) >= 2
