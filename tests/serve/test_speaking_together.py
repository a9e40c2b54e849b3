"""Texts of several clients at once share the steps of an aligned model, and each is heard as if it were alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from websockets.sync.client import connect

from speech.models.aligned_ar import AlignedAr
from speech.speaker import Speaker
from speech.tts.speech_stream import SpeakingOptions
from tests.serve.conftest import Running, running
from tests.tiny_voice import save_tiny_voice

TEXTS = ("Bad beds. A sad tea.", "A tease, a bed.", "Ease a dab. Sad.", "Dead tea, bad tea.")
WAIT_S = 120
"""For clients of a test that fails."""


@pytest.fixture(scope="module")
def spoken(tmp_path_factory) -> Iterator[tuple[Running, Speaker]]:
    """A server with an aligned voice, and the same voice here."""
    model = save_tiny_voice(tmp_path_factory.mktemp("speech") / "model")
    with running(voice_model=str(model), max_speech_requests=6) as server:
        yield server, Speaker.from_pretrained(str(model))


@pytest.fixture
def rows(monkeypatch) -> list[int]:
    """Rows of each step of any model."""
    seen, step = [], AlignedAr.step

    def watched(self, state, choose):
        seen.append(len(state.before))
        return step(self, state, choose)

    monkeypatch.setattr(AlignedAr, "step", watched)
    return seen


def said_here(speaker: Speaker, text: str, seed: int) -> bytes:
    options = SpeakingOptions(language="eng", voice="ann", seed=seed)
    samples = speaker.say(text, options).samples
    return (samples.clip(-1, 1) * 32767).round().astype("<i2").tobytes()


def over_http(server: Running, text: str, seed: int) -> bytes:
    wanted = {"input": text, "voice": "ann", "response_format": "pcm", "seed": seed, "language": "eng"}
    response = httpx.post(f"{server.http}/v1/audio/speech", json=wanted, timeout=WAIT_S)
    assert response.status_code == 200, response.text
    return response.content


def over_a_websocket(server: Running, text: str, seed: int, leaves: bool = False) -> bytes:
    """What is said; or, of a client that leaves, its first audio."""
    audio = []
    with connect(f"{server.ws}/v1/speak", subprotocols=["speech.v1"]) as socket:
        start = {"type": "start", "language": "eng", "voice": "ann", "seed": seed}
        for message in (start, {"type": "text", "text": text}, {"type": "end"}):
            socket.send(json.dumps(message))
        while True:
            frame = socket.recv(timeout=WAIT_S)
            if isinstance(frame, bytes):
                audio.append(frame)
                if leaves:
                    break
            elif json.loads(frame)["type"] == "done":
                break
    return b"".join(audio)


def test_each_stream_has_the_samples_of_its_text_said_alone(spoken, rows):
    server, speaker = spoken
    wanted = [said_here(speaker, text, seed) for seed, text in enumerate(TEXTS)]
    assert len({*wanted}) == len(TEXTS)
    assert all(len(np.frombuffer(audio, "<i2")) > 2000 for audio in wanted)
    assert {*rows} == {1}
    rows.clear()
    ways = (over_http, over_a_websocket, over_http, over_a_websocket)
    with ThreadPoolExecutor(6) as pool:
        leaving = [pool.submit(over_a_websocket, server, text, 7, leaves=True) for text in TEXTS[:2]]
        works = [pool.submit(way, server, text, n) for n, (way, text) in enumerate(zip(ways, TEXTS, strict=True))]
        found = [work.result(WAIT_S) for work in works]
        first = [work.result(WAIT_S) for work in leaving]
    assert found == wanted
    for text, audio in zip(TEXTS[:2], first, strict=True):
        assert said_here(speaker, text, 7).startswith(audio)
    assert max(rows) > 1


def test_as_many_threads_as_texts_are_said_at_once(spoken):
    server, speaker = spoken
    pools = server.server.config.app.state.parts.pools
    assert speaker.together == 16
    assert pools.speech._max_workers == 6
