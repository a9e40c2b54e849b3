"""`/v1/audio/speech`: OpenAI's own client, formats, events, several texts at once, and what is refused."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
import soundfile
import torch
from openai import OpenAI
from websockets.sync.client import connect

from speech.audio.input.files import probe
from speech.audio.output import MEDIA_TYPES
from speech.choices import AudioEncoding
from speech.models.adapters.file import fingerprint
from speech.speaker import Speaker
from speech.tts.speech_stream import SpeakingOptions
from speech.tts.voice_file import VoiceFile, save_voice
from speech.tts.watermark import WatermarkChoice
from tests.serve.conftest import Running, running
from tests.tiny_watermark import save_tiny_watermark
from tests.tts.kokoro_voices import VOICES, letters_program, save_kokoro, ship_kokoro

TEXT = "Hello there, Anna. It cost $5. Then she left."


@pytest.fixture(scope="module")
def spoken(tmp_path_factory) -> Iterator[tuple[Running, Speaker]]:
    """A server with a voice, and the same voice here."""
    folder = tmp_path_factory.mktemp("speech")
    model = save_kokoro(folder / "model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{letters_program(folder / 'bin')}:/usr/bin:/bin")
        speaker = Speaker.from_pretrained(str(model))
        with running(voice_model=str(model), max_speech_requests=4, max_speech_characters=200) as server:
            yield server, speaker


def post(server: Running, **body) -> httpx.Response:
    return httpx.post(
        f"{server.http}/v1/audio/speech",
        json={"input": TEXT, "model": "tts-1", "voice": "alloy", **body},
        timeout=60,
    )


def said_here(speaker: Speaker, text: str = TEXT, **options) -> np.ndarray:
    samples = speaker.say(text, SpeakingOptions(**{"language": "eng", "voice": "af_one"} | options)).samples
    return (samples.clip(-1, 1) * 32767).round().astype("<i2")


def test_openai_s_client_gets_what_the_speaker_says(spoken, tmp_path):
    server, speaker = spoken
    client = OpenAI(base_url=f"{server.http}/v1", api_key="none")
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="alloy", input=TEXT, instructions="Be calm.", response_format="pcm"
    ) as response:
        response.stream_to_file(tmp_path / "x.pcm")
    np.testing.assert_array_equal(np.frombuffer((tmp_path / "x.pcm").read_bytes(), "<i2"), said_here(speaker))


@pytest.mark.parametrize("format", [one for one in AudioEncoding if one != AudioEncoding.pcm])
def test_formats(spoken, tmp_path, format):
    server, speaker = spoken
    response = post(server, response_format=format)
    assert response.headers["content-type"] == MEDIA_TYPES[format]
    (tmp_path / f"x.{format}").write_bytes(response.content)
    assert probe(tmp_path / f"x.{format}").duration_s == pytest.approx(len(said_here(speaker)) / 24000, abs=0.15)
    if format in ("wav", "flac"):
        samples, rate = soundfile.read(io.BytesIO(response.content), dtype="int16")
        assert rate == 24000
        np.testing.assert_array_equal(samples, said_here(speaker))


def test_events_carry_the_same_audio(spoken):
    server, speaker = spoken
    lines = post(server, response_format="pcm", stream_format="sse").text.split("\n\n")
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line]
    assert [one["type"] for one in events[:-1]] == ["speech.audio.delta"] * 3
    audio = b"".join(base64.b64decode(one["audio"]) for one in events[:-1])
    np.testing.assert_array_equal(np.frombuffer(audio, "<i2"), said_here(speaker))
    used = events[-1]["usage"]
    assert events[-1]["type"] == "speech.audio.done"
    assert used["total_tokens"] == used["input_tokens"] + used["output_tokens"]
    assert used["output_tokens"] == round(len(audio) / 48)


def test_voice_language_speed_seed_and_markup(spoken):
    server, speaker = spoken
    got = post(server, voice={"id": "ef_two"}, response_format="pcm", speed=2.0, seed=3, input="Hola, Anna.").content
    expected = said_here(speaker, "Hola, Anna.", language="spa", voice="ef_two", rate=2.0, seed=3)
    np.testing.assert_array_equal(np.frombuffer(got, "<i2"), expected)
    got = post(server, response_format="pcm", language="fr", input="Hello.").content
    np.testing.assert_array_equal(
        np.frombuffer(got, "<i2"), said_here(speaker, "Hello.", language="fra", voice="ff_three")
    )
    marked = post(server, response_format="pcm", input='<speak>Hello. <break time="1s"/> Anna.</speak>').content
    assert np.frombuffer(marked, "<i2")[:-1].size > 24000


def test_a_blend_is_said_in_the_language_of_its_largest_weight(spoken):
    server, speaker = spoken
    got = post(server, voice="ef_two:.7,af_one:.3", response_format="pcm", input="Hola, Anna. 5.").content
    expected = said_here(speaker, "Hola, Anna. 5.", language="spa", voice="ef_two:.7,af_one:.3")
    np.testing.assert_array_equal(np.frombuffer(got, "<i2"), expected)


def test_several_texts_at_once_are_not_mixed(spoken):
    server, speaker = spoken
    texts = [f"{TEXT} {name}." for name in ("one", "two", "three", "ten")]
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(lambda text: post(server, input=text, response_format="pcm").content, texts))
    for text, content in zip(texts, got, strict=True):
        np.testing.assert_array_equal(np.frombuffer(content, "<i2"), said_here(speaker, text))


def test_voices_are_listed(spoken):
    server, _ = spoken
    listed = httpx.get(f"{server.http}/v1/voices").json()["data"]
    assert not any(one["cloned"] for one in listed)
    assert [(one["id"], one["language"]) for one in listed] == list(zip(VOICES, ["eng", "spa", "fra"], strict=True))


@pytest.mark.parametrize(
    ("body", "status", "code", "said"),
    [
        ({"input": ""}, 400, "bad_input", "0 characters, expected 1 to 200"),
        ({"input": "a" * 201}, 400, "bad_input", "201 characters"),
        ({"input": 5}, 400, "bad_request", "input: Expected `str`"),
        ({"input": "..."}, 400, "cannot_be_said", "nothing in the text can be spoken"),
        ({"input": "One.\nдва"}, 400, "cannot_be_said", "line 2, column 1"),
        ({"input": "<speak>a</spea>"}, 400, "cannot_be_said", "line 1"),
        ({"voice": "none"}, 404, "voice_not_found", "There are af_one, ef_two, ff_three"),
        ({"voice": "af_one:1,none:2"}, 404, "voice_not_found", "There are af_one, ef_two, ff_three"),
        ({"voice": "af_one:1,ef_two:x"}, 404, "voice_not_found", "is no voice with its weight"),
        ({"voice": "/etc/passwd"}, 404, "voice_not_found", "no voice '/etc/passwd'"),
        ({"speed": 4.0}, 400, "bad_speed", "speed 4, expected 0.5 to 2"),
        ({"response_format": "ogg"}, 400, "bad_request", "response_format"),
        ({"stream_format": "x"}, 400, "bad_format", "audio or sse"),
        ({"language": "xx"}, 400, "bad_language", "xx"),
    ],
)
def test_what_is_wrong_is_said(spoken, body, status, code, said):
    server, _ = spoken
    response = post(server, **body)
    assert response.status_code == status
    assert response.json()["error"]["code"] == code
    assert said in response.json()["error"]["message"]
    assert server.server.config.app.state.parts.speech.speaking == 0


def test_bodies_are_bounded_and_have_to_be_json(spoken):
    server, _ = spoken
    url = f"{server.http}/v1/audio/speech"
    assert httpx.post(url, content=b"x" * 300_000).json()["error"]["code"] == "too_long"
    assert httpx.post(url, content=b"{").json()["error"]["code"] == "bad_request"
    assert httpx.post(url, content=b"[" * 100_000).status_code == 400


def test_a_text_more_than_may_be_said_at_once_is_refused_and_places_are_freed(spoken):
    server, _ = spoken
    api = server.server.config.app.state.parts.speech
    api.speaking += 4
    refused = post(server)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_requests")
    assert refused.headers["retry-after"]
    api.speaking -= 4
    with httpx.stream(
        "POST", f"{server.http}/v1/audio/speech", json={"input": TEXT, "response_format": "pcm"}, timeout=60
    ) as one:
        next(one.iter_bytes(100))
    until = time.monotonic() + 20
    while api.speaking and time.monotonic() < until:
        time.sleep(0.01)
    assert api.speaking == 0
    said = httpx.get(f"{server.http}/metrics").text
    assert 'speech_said_texts_total{status="429"} 1.0' in said
    assert "speech_first_packet_seconds_count" in said


def test_a_server_without_a_voice_says_so():
    with running() as server:
        response = post(server)
        assert (response.status_code, response.json()["error"]["code"]) == (404, "no_voice")
        assert httpx.get(f"{server.http}/v1/voices").json() == {"object": "list", "data": []}


def test_a_server_with_a_watermark_marks_all_that_it_says(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{letters_program(tmp_path / 'bin')}:/usr/bin:/bin")
    model = save_kokoro(tmp_path / "model")
    mark = save_tiny_watermark(tmp_path / "mark", sample_rate=24000)
    anna = VoiceFile(
        name="anna", language="eng", kind="kokoro", model=fingerprint(model), tensors={"styles": torch.randn(10, 8)},
        cloned=True, card="Anna agrees.", created="2026-11-30",
    )  # fmt: skip
    save_voice(model / "voices" / "anna.safetensors", anna)
    speaker = Speaker.from_pretrained(str(model), watermark=WatermarkChoice(model=str(mark), message=9))
    with running(voice_model=str(model), watermark_model=str(mark), watermark_message=9) as server:
        for voice in ("af_one", "anna"):
            got = post(server, voice=voice, response_format="pcm").content
            np.testing.assert_array_equal(np.frombuffer(got, "<i2"), said_here(speaker, voice=voice))
        with connect(f"{server.ws}/v1/speak") as socket:
            for message in ({"type": "start", "voice": "anna"}, {"type": "text", "text": TEXT}, {"type": "end"}):
                socket.send(json.dumps(message))
            audio = b"".join(frame for frame in socket if isinstance(frame, bytes))
        np.testing.assert_array_equal(np.frombuffer(audio, "<i2"), said_here(speaker, voice="anna"))
        listed = httpx.get(f"{server.http}/v1/voices").json()["data"]
        assert {one["id"]: one["cloned"] for one in listed}["anna"]
    with running(voice_model=str(model), watermark=False) as server:
        refused = post(server, voice="anna")
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "cannot_be_said")
        assert "is cloned: it is said only with a watermark" in refused.json()["error"]["message"]
        assert post(server, voice="af_one").status_code == 200


def test_the_voice_of_the_package_speaks_where_it_is_asked_for_by_name(spoken, tmp_path, monkeypatch):
    _, speaker = spoken
    monkeypatch.setenv("PATH", f"{letters_program(tmp_path / 'bin')}:/usr/bin:/bin")
    ship_kokoro(tmp_path / "package", monkeypatch)
    with running(voice_model="embedded-voice") as server:
        found = post(server, response_format="pcm", voice="af_one")
        assert found.status_code == 200
        assert np.array_equal(np.frombuffer(found.content, "<i2"), said_here(speaker))
