"""ElevenLabs' own client and raw sockets: text in pieces to audio, times of characters, formats, refusals."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator

import numpy as np
import pytest
from elevenlabs import VoiceSettings
from elevenlabs.client import ElevenLabs
from elevenlabs.core.api_error import ApiError
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from serve.protocols.elevenlabs import SpokenAudio, characters, normalized
from serve.protocols.speaking_protocol import SpeakingRefused
from speech.audio.input.files import load_audio
from speech.audio.input.pcm import Encoding, g711_values
from speech.audio.output import int16_samples
from speech.speaker import Speaker
from speech.tts.speech_stream import SaidWord, SpeakingOptions
from tests.serve.conftest import Running, running
from tests.tts.kokoro_voices import letters_program, save_kokoro

TEXT = "Hello there, Anna. It cost $5. Then she left."
KEY = "a-key-of-some-length"
pytestmark = pytest.mark.filterwarnings("ignore:ConnectionClosed.(code|reason) is deprecated:DeprecationWarning")
"""Their client reads the code of a closed connection in a way that websockets advises against."""


@pytest.fixture(scope="module")
def spoken(tmp_path_factory) -> Iterator[tuple[Running, Speaker]]:
    folder = tmp_path_factory.mktemp("speech")
    model = save_kokoro(folder / "model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{letters_program(folder / 'bin')}:/usr/bin:/bin")
        speaker = Speaker.from_pretrained(str(model))
        with running(voice_model=str(model), idle_s=1.5, max_json_bytes=2000, api_keys=[KEY]) as server:
            yield server, speaker


def opened(server: Running, voice: str = "af_one", **query: str) -> ClientConnection:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    address = f"{server.ws}/v1/text-to-speech/{voice}/stream-input?{asked}"
    return connect(address, additional_headers={"xi-api-key": KEY})


def tell(socket: ClientConnection, text: str, **more) -> None:
    socket.send(json.dumps({"text": text, **more}))


def heard(socket: ClientConnection) -> tuple[bytes, list[dict]]:
    """Audio and messages up to the last one."""
    audio, messages = b"", []
    while not messages or not messages[-1].get("isFinal"):
        messages.append(json.loads(socket.recv(timeout=30)))
        audio += base64.b64decode(messages[-1]["audio"] or "")
    return audio, messages


def said_here(speaker: Speaker, **options) -> np.ndarray:
    return speaker.say(TEXT, SpeakingOptions(**{"language": "eng", "voice": "af_one"} | options)).samples


def test_their_client_gets_what_the_speaker_says(spoken):
    server, speaker = spoken
    client = ElevenLabs(api_key=KEY, base_url=server.http)
    client.text_to_speech._ws_base_url = server.ws  # it insists on wss
    pieces = client.text_to_speech.convert_realtime(
        "af_one", text=iter(["Hello there, ", "Anna. It", " cost $5. Then ", "she left."]), model_id="any",
        voice_settings=VoiceSettings(speed=1.5), output_format="pcm_24000",
    )  # fmt: skip
    found = np.frombuffer(b"".join(pieces), "<i2")
    wanted = int16_samples(said_here(speaker, rate=1.5))
    # The client may cut its pieces at other places, with a space behind each; words are the same.
    assert len(found) == pytest.approx(len(wanted), rel=0.05)
    assert np.array_equal(found[:5000], wanted[:5000])


def test_their_client_is_told_what_is_wrong(spoken):
    server, _ = spoken
    client = ElevenLabs(api_key=KEY, base_url=server.http)
    client.text_to_speech._ws_base_url = server.ws
    with pytest.raises(ApiError) as error:
        list(client.text_to_speech.convert_realtime("nobody", text=iter(["Hello. ", "Anna. "]), model_id="any"))
    assert "there is no voice 'nobody'" in str(error.value)


def test_pieces_are_the_whole_and_characters_have_times(spoken):
    server, speaker = spoken
    with opened(server, output_format="pcm_24000") as socket:
        tell(socket, " ", voice_settings={"stability": 0.5})
        for start in range(0, len(TEXT), 7):
            tell(socket, TEXT[start : start + 7])
        tell(socket, "")
        audio, messages = heard(socket)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv()
    assert closed.value.rcvd.code == 1000
    samples = said_here(speaker)
    assert np.array_equal(np.frombuffer(audio, "<i2"), int16_samples(samples))
    found = [message["alignment"] for message in messages if message["alignment"]]
    written = "".join(char for own in found for char in own["chars"])
    assert written.replace(" ", "") == "Hellothere,AnnaItcost$5Thensheleft"
    spoken_words = ["".join(message["normalizedAlignment"]["chars"]) for message in messages if message["alignment"]]
    assert " ".join(spoken_words) == "Hello there Anna It cost five dollars Then she left"
    for own in found:
        assert len(own["chars"]) == len(own["charStartTimesMs"]) == len(own["charDurationsMs"])
        assert own["charStartTimesMs"] == sorted(own["charStartTimesMs"])


def test_a_flush_says_what_is_there(spoken):
    server, _ = spoken
    with opened(server, output_format="pcm_16000") as socket:
        tell(socket, " ")
        tell(socket, "Hello there", flush=True)
        first = json.loads(socket.recv(timeout=30))
        assert "".join(first["alignment"]["chars"]) == "Hello there"


def test_the_default_is_mp3(spoken):
    server, speaker = spoken
    with opened(server) as socket:
        tell(socket, " ")
        tell(socket, TEXT)
        tell(socket, "")
        audio, _ = heard(socket)
    decoded = load_audio(io.BytesIO(audio), rate=24000)
    assert len(decoded) == pytest.approx(len(said_here(speaker)), abs=4000)


@pytest.mark.parametrize(
    ("voice", "query", "first", "message"),
    [
        ("nobody", {}, {"text": " "}, "there is no voice 'nobody'"),
        ("af_one", {"output_format": "pcm_1"}, {"text": " "}, "output_format 'pcm_1'"),
        ("af_one", {"language_code": "xx"}, {"text": " "}, "xx"),
        ("af_one", {}, {"text": " ", "voice_settings": {"speed": 9}}, "rate 9"),
        ("af_one", {}, {"texts": " "}, "text"),
        ("af_one", {}, {"text": "x" * 3000}, "at most 2000"),
    ],
)
def test_what_is_wrong_is_told(spoken, voice, query, first, message):
    server, _ = spoken
    with opened(server, voice, **query) as socket:
        socket.send(json.dumps(first))
        told = json.loads(socket.recv(timeout=30))
        assert message in told["message"]
        assert told["code"] >= 1000
        with pytest.raises(ConnectionClosed):
            socket.recv()


def test_every_format_says_the_samples():
    samples = (0.5 * np.sin(np.arange(4800) * 2 * np.pi * 200 / 24000)).astype(np.float32)
    for wanted, rate in (("pcm_24000", 24000), ("pcm_16000", 16000), ("pcm_44100", 44100)):
        audio = SpokenAudio(wanted, 24000)
        made = np.frombuffer(audio(samples[:1000]) + audio(samples[1000:]) + audio(samples[:0], last=True), "<i2")
        assert len(made) == pytest.approx(0.2 * rate, abs=2)
        assert np.abs(made).max() == pytest.approx(16384, rel=0.03)
    audio = SpokenAudio("ulaw_8000", 24000)
    codes = np.frombuffer(audio(samples) + audio(samples[:0], last=True), np.uint8)
    assert len(codes) == pytest.approx(1600, abs=2)
    assert np.abs(g711_values(Encoding.mulaw)[codes]).max() == pytest.approx(0.5, rel=0.06)
    for wanted in ("pcm", "pcm_24001", "ulaw_16000", "wav_24000", "pcm_999999999999"):
        with pytest.raises(SpeakingRefused, match="output_format"):
            SpokenAudio(wanted, 24000)


def test_characters_share_the_time_of_their_word():
    words = [SaidWord("five", 1.0, 1.4, 3, 5), SaidWord("dollars", 1.4, 2.0, 3, 5), SaidWord("now", 2.1, 2.4, 6, 9)]
    assert characters(words, "It $5 now.", 1.0) == {
        "chars": ["$", "5", " ", "n", "o", "w"],
        "charStartTimesMs": [0, 200, 1100, 1100, 1200, 1300],
        "charDurationsMs": [200, 200, 0, 100, 100, 100],
    }
    spoken_form = normalized(words[:1], 0.5)
    assert spoken_form == {
        "chars": list("five"), "charStartTimesMs": [500, 600, 700, 800], "charDurationsMs": [100] * 4,
    }  # fmt: skip
    assert characters([], "", 0.0) is None
    assert normalized([], 0.0) is None
