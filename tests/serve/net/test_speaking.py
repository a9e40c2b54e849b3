"""`/v1/speak`: text in pieces to audio and words over a real socket; flush, cancel, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from speech.speaker import Speaker
from speech.tts.speech_stream import SpeakingOptions
from speech.tts.watermark import WatermarkChoice
from tests.serve.conftest import Running, running
from tests.tts.kokoro_voices import letters_program, save_kokoro

TEXT = "Hello there, Anna. It cost $5. Then she left."


@pytest.fixture(scope="module")
def spoken(tmp_path_factory) -> Iterator[tuple[Running, Speaker]]:
    folder = tmp_path_factory.mktemp("speech")
    model = save_kokoro(folder / "model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{letters_program(folder / 'bin')}:/usr/bin:/bin")
        speaker = Speaker.from_pretrained(str(model), watermark=WatermarkChoice(on=False))
        options = {
            "watermark": False,
            "max_speech_requests": 2,
            "max_speech_characters": 300,
            "max_json_bytes": 2000,
            "first_message_s": 1.0,
        }
        with running(voice_model=str(model), idle_s=1.5, **options) as server:
            yield server, speaker


@contextmanager
def opened(server: Running, **start) -> Iterator[ClientConnection]:
    with connect(f"{server.ws}/v1/speak", subprotocols=["speech.v1"]) as socket:
        tell(socket, "start", **start)
        yield socket


def tell(socket: ClientConnection, kind: str, **fields) -> None:
    socket.send(json.dumps({"type": kind, **fields}))


def heard(socket: ClientConnection, until: str) -> tuple[np.ndarray, list[dict], dict]:
    """Audio and words up to a message."""
    audio, words = [], []
    while True:
        frame = socket.recv(timeout=30)
        if isinstance(frame, bytes):
            audio.append(frame)
            continue
        message = json.loads(frame)
        if message["type"] == "words":
            words += message["words"]
        elif message["type"] != "started":
            assert message["type"] == until, message
            return np.frombuffer(b"".join(audio), "<i2"), words, message


def said_here(speaker: Speaker, text: str, **options) -> np.ndarray:
    samples = speaker.say(text, SpeakingOptions(**{"language": "eng"} | options)).samples
    return (samples.clip(-1, 1) * 32767).round().astype("<i2")


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_any_pieces_are_said_as_the_whole(spoken, size):
    server, speaker = spoken
    with opened(server) as socket:
        assert json.loads(socket.recv()) == {"type": "started", "sample_rate": 24000, "encoding": "pcm_s16le"}
        for start in range(0, len(TEXT), size):
            tell(socket, "text", text=TEXT[start : start + size])
        tell(socket, "end")
        audio, words, done = heard(socket, "done")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv()
    assert closed.value.rcvd.code == 1000
    np.testing.assert_array_equal(audio, said_here(speaker, TEXT))
    assert [TEXT[slice(*word["source"])] for word in words] == "Hello there Anna It cost $5 $5 Then she left".split()
    assert done["seconds"] == pytest.approx(len(audio) / 24000, abs=1e-3)
    assert server.server.config.app.state.parts.speech.speaking == 0


def test_a_sentence_is_said_before_the_text_is_over_and_a_flush_says_the_rest(spoken):
    server, speaker = spoken
    with opened(server, voice="ef_two", language="spa", rate=1.5, seed=2) as socket:
        tell(socket, "text", text="Hola, Anna. No")
        while not isinstance(first := socket.recv(timeout=30), bytes):
            pass
        tell(socket, "flush")
        audio, _, _ = heard(socket, "flushed")
        whole = said_here(speaker, "Hola, Anna. No", language="spa", voice="ef_two", rate=1.5, seed=2)
        np.testing.assert_array_equal(np.concatenate([np.frombuffer(first, "<i2"), audio]), whole)
        tell(socket, "end")
        assert len(heard(socket, "done")[0]) == 0


def test_a_blend_is_said(spoken):
    server, speaker = spoken
    with opened(server, voice="ef_two:1,af_one:3") as socket:
        tell(socket, "text", text="Hello, Anna.")
        tell(socket, "end")
        audio, _, _ = heard(socket, "done")
    np.testing.assert_array_equal(audio, said_here(speaker, "Hello, Anna.", voice="af_one:.75,ef_two:.25"))


def test_what_is_cancelled_is_not_said_and_the_next_text_is(spoken):
    server, speaker = spoken
    with opened(server) as socket:
        tell(socket, "text", text=TEXT + TEXT + TEXT)
        tell(socket, "cancel")
        audio, _, _ = heard(socket, "cancelled")
        assert len(audio) < len(said_here(speaker, TEXT + TEXT + TEXT))
        tell(socket, "text", text="Anna.")
        tell(socket, "end")
        audio, words, _ = heard(socket, "done")
    np.testing.assert_array_equal(audio, said_here(speaker, "Anna."))
    assert words[0]["start"] < 1


@pytest.mark.parametrize(
    ("messages", "code", "close"),
    [
        ([{"type": "text", "text": "a"}], "not_started", 4400),
        ([{"type": "start", "voice": "none"}], "bad_config", 4422),
        ([{"type": "start", "voice": "af_one:1,ef_two"}], "bad_config", 4422),
        ([{"type": "start", "rate": 9}], "bad_config", 4422),
        ([{"type": "start", "language": "xx"}], "bad_config", 4422),
        ([{"type": "start"}, {"type": "start"}], "bad_message", 4400),
        ([{"type": "start"}, {"type": "none"}], "bad_message", 4400),
        ([{"type": "start"}, b"audio"], "bad_message", 4400),
        ([{"type": "start"}, {"type": "text", "text": "a" * 301}], "too_fast", 4429),
        ([{"type": "start"}, {"type": "text", "text": "a" * 2001}], "too_big", 1009),
        ([{"type": "start"}, {"type": "text", "text": "One два. "}, {"type": "flush"}], "cannot_be_said", 4400),
        ([{"type": "start"}], "idle", 4408),
        ([], "no_start", 4408),
    ],
)
def test_what_is_wrong_is_said_and_the_connection_closed(spoken, messages, code, close):
    server, _ = spoken
    with connect(f"{server.ws}/v1/speak") as socket:
        for message in messages:
            socket.send(message if isinstance(message, bytes) else json.dumps(message))
        _, _, error = heard(socket, "error")
        assert error["code"] == code
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv()
        assert closed.value.rcvd.code == close


def test_no_more_connections_than_allowed(spoken):
    server, _ = spoken
    with opened(server) as one, opened(server) as other:
        assert one.recv() == other.recv()
        with pytest.raises(InvalidStatus) as refused, connect(f"{server.ws}/v1/speak"):
            pass
        assert refused.value.response.status_code == 503
        with pytest.raises(ConnectionClosed) as closed, connect(f"{server.ws}/v1/speak", origin=server.http) as page:
            page.recv()
        assert closed.value.rcvd.code == 1013


def test_a_server_without_a_voice_refuses():
    with running() as server, pytest.raises(InvalidStatus) as refused, connect(f"{server.ws}/v1/speak"):
        pass
    assert refused.value.response.status_code == 404
