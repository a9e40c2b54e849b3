"""`/v1/voices`: voices are cloned, said at once, kept over a restart and removed; and what is refused."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from serve.config import ServeConfig
from serve.engine.pools import Pools
from serve.http import voices
from serve.http.errors import Failure
from serve.http.voices import LiveVoices
from speech import Recognizer
from speech.speaker import Speaker
from speech.tts.voice_file import load_voice
from speech.tts.watermark import WatermarkChoice
from tests.serve.conftest import Running, running
from tests.stand_in_packages import install_resemblyzer
from tests.tiny_voice import save_tiny_voice
from tests.tiny_watermark import save_tiny_watermark
from tests.tts.kokoro_voices import letters_program, save_kokoro

CLIP = Path(str(files("speech") / "assets" / "clips" / "ast_en_priv-callpending.ogg"))
FORM = {
    "name": "zoe", "language": "en", "consent": "Allison agrees to a test.",
    "text": "I have a caller waiting, who introduces themselves as:",
}  # fmt: skip


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of a server that clones."""
    folder = tmp_path_factory.mktemp("voices")
    (folder / "kept").mkdir()
    return {
        "voice_model": str(save_tiny_voice(folder / "model", positions=600, speaker_dim=256)),
        "watermark_model": str(save_tiny_watermark(folder / "mark", sample_rate=8000)),
        "voices_folder": str(folder / "kept"),
        "max_voice_bytes": 200_000,
        "max_voices": 2,
    }


@pytest.fixture(scope="module")
def cloning(options, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with pytest.MonkeyPatch.context() as patch:
        install_resemblyzer(patch, tmp_path_factory.mktemp("packages"))
        with running(**options) as server:
            yield server


def post(server: Running, data: bytes | None = None, field: str = "audio_sample", **form: Any) -> httpx.Response:
    sample = CLIP.read_bytes() if data is None else data
    fields = {name: value for name, value in {**FORM, **form}.items() if value is not None}
    return httpx.post(f"{server.http}/v1/voices", files={field: ("a.ogg", sample)}, data=fields, timeout=300)


def delete(server: Running, name: str) -> httpx.Response:
    return httpx.delete(f"{server.http}/v1/voices/{name}", timeout=60)


def listed(server: Running) -> dict[str, tuple[bool, bool]]:
    data = httpx.get(f"{server.http}/v1/voices", timeout=60).json()["data"]
    return {one["id"]: (one["cloned"], one["added"]) for one in data}


def said(server: Running, voice: str) -> httpx.Response:
    body = {"input": "A bad cab.", "voice": voice, "response_format": "pcm", "seed": 3}
    return httpx.post(f"{server.http}/v1/audio/speech", json=body, timeout=300)


def error(answer: httpx.Response) -> tuple[int, str, str | None]:
    found = answer.json()["error"]
    assert set(found) == {"message", "type", "param", "code"}
    return answer.status_code, found["code"], found["param"]


def test_a_voice_is_made_said_at_once_kept_and_removed(cloning, options):
    default = said(cloning, "alloy").content
    made = post(cloning)
    assert made.status_code == 201, made.text
    body = made.json()
    assert body.pop("created_at") > 1_700_000_000
    assert body == {"id": "zoe", "object": "voice", "language": "eng", "cloned": True, "added": True}
    assert listed(cloning) == {"default": (False, False), "zoe": (True, True)}
    spoken = said(cloning, "zoe")
    assert spoken.status_code == 200
    assert np.frombuffer(spoken.content, "<i2").any()
    assert spoken.content != default == said(cloning, "alloy").content  # a name of OpenAI's stands for no clone
    file = Path(options["voices_folder"]) / "zoe.safetensors"
    assert load_voice(file).card.endswith("Allison agrees to a test.\n")
    assert error(post(cloning)) == (409, "voice_exists", "name")
    with running(**options | {"watermark_model": ""}) as unmarked:  # with the voices that were added to the other
        assert listed(unmarked) == {"default": (False, False), "zoe": (True, True)}
        assert error(said(unmarked, "zoe"))[:2] == (400, "cannot_be_said")
        assert error(post(unmarked, name="eve")) == (403, "no_cloning", None)
        assert "only with a watermark" in post(unmarked, name="eve").json()["error"]["message"]
    assert delete(cloning, "zoe").json() == {"id": "zoe", "object": "voice", "deleted": True}
    assert not file.exists()
    assert listed(cloning) == {"default": (False, False)}
    assert error(said(cloning, "zoe")) == (404, "voice_not_found", "voice")
    assert error(delete(cloning, "zoe")) == (404, "voice_not_found", "name")
    assert error(delete(cloning, "default")) == (403, "voice_fixed", "name")


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"name": None}, (400, "bad_request", "name")),
        ({"consent": " "}, (400, "bad_request", "consent")),
        ({"language": None}, (400, "bad_request", "language")),
        ({"name": "../zoe"}, (400, "bad_name", "name")),
        ({"name": "alloy"}, (409, "voice_exists", "name")),
        ({"name": "default"}, (409, "voice_exists", "name")),
        ({"language": "xx"}, (400, "bad_language", "language")),
        ({"language": "fra"}, (400, "bad_language", "language")),
        ({"text": "a" * 2001}, (400, "bad_request", None)),
        ({"text": "a bad cab " * 100}, (400, "cannot_be_cloned", None)),
        ({"data": b"no audio"}, (415, "bad_audio", "audio_sample")),
        ({"data": b"x" * 200_001}, (413, "too_large", "audio_sample")),
        ({"field": "file"}, (400, "bad_form", "file")),
    ],
    ids=str,
)
def test_what_is_wrong_is_said(cloning, options, form, expected):
    assert error(post(cloning, **form)) == expected
    assert listed(cloning) == {"default": (False, False)}
    assert not [*Path(options["voices_folder"]).iterdir()]


def test_one_voice_is_made_at_a_time(cloning, monkeypatch):
    begun, goes_on = threading.Event(), threading.Event()

    def slowly(*given: Any) -> Any:
        begun.set()
        assert goes_on.wait(300)
        return cloned(*given)

    cloned = voices._cloned
    monkeypatch.setattr(voices, "_cloned", slowly)
    found: list[httpx.Response] = []
    first = threading.Thread(target=lambda: found.append(post(cloning)))
    first.start()
    assert begun.wait(300)
    refused = post(cloning, name="eve")
    assert error(refused)[:2] == (429, "too_many_uploads")
    assert refused.headers["retry-after"]
    assert "a voice is being made" in refused.json()["error"]["message"]
    goes_on.set()
    first.join()
    assert found[0].status_code == 201
    api = cloning.server.config.app.state.parts.voices
    api._added.add("another")  # as many as may be
    assert error(post(cloning, name="eve")) == (403, "too_many_voices", None)
    api._added.discard("another")
    assert delete(cloning, "zoe").status_code == 200


def test_without_a_folder_or_a_key_nothing_changes(options):
    with running(api_keys=["key"], voice_model=options["voice_model"]) as server:
        assert post(server).status_code == 401
        with httpx.Client(base_url=server.http, headers={"Authorization": "Bearer key"}, timeout=60) as client:
            assert error(client.post("/v1/voices")) == (403, "voices_fixed", None)
            assert "SPEECH_VOICES_FOLDER" in client.post("/v1/voices").json()["error"]["message"]
            assert error(client.delete("/v1/voices/default")) == (403, "voices_fixed", None)


def test_a_model_that_imitates_in_minutes_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{letters_program(tmp_path / 'bin')}:/usr/bin:/bin")
    mark = WatermarkChoice(model=str(save_tiny_watermark(tmp_path / "mark", sample_rate=24000)))
    speaker = Speaker.from_pretrained(str(save_kokoro(tmp_path / "kokoro")), watermark=mark)
    api = LiveVoices(speaker, Recognizer, ServeConfig(voices_folder=str(tmp_path)), Pools.start())
    with pytest.raises(Failure, match="takes minutes to imitate a recording; use `speech voice clone`") as caught:
        api._permitted()
    assert (caught.value.status, caught.value.code) == (403, "no_cloning")
    assert json.loads(asyncio.run(api.delete("af_one")).body)["error"]["code"] == "voice_fixed"
