"""Files over HTTP, in every format that OpenAI's clients ask for."""

import json

import httpx

from tests.serve.conftest import Running


def test_files_are_transcribed_in_every_format(server: Running, wave, recognizer):
    text = recognizer.transcribe(wave).text
    url = f"{server.http}/v1/audio/transcriptions"

    def post(**form: str) -> httpx.Response:
        with wave.open("rb") as file:
            return httpx.post(url, files={"file": ("wave.wav", file)}, data=form, timeout=60)

    assert post().json()["text"] == text
    assert post(response_format="text").text == text + "\n"
    assert "-->" in post(response_format="srt").text
    assert post(response_format="vtt").text.startswith("WEBVTT")
    full = post(response_format="verbose_json", **{"timestamp_granularities[]": "word"}).json()
    assert [word["word"] for word in full["words"]] == text.split()
    assert full["duration"] == 1.5
    lines = post(stream="true").text.strip().split("\n\n")
    streamed = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert streamed[-1]["text"] == text
    assert "".join(event.get("delta", "") for event in streamed) == text
    assert post(response_format="docx").status_code == 400
    assert post(model="none").status_code == 404
    assert post(language="klingon").json()["error"]["code"] == "bad_language"


def test_what_is_no_audio_is_refused(server: Running):
    answer = httpx.post(f"{server.http}/v1/audio/transcriptions", files={"file": ("a.wav", b"no audio at all")})
    assert answer.status_code == 415
    assert "a.wav" in answer.json()["error"]["message"]
