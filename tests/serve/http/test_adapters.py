"""Adapters of a running server: over HTTP, from the command line, out of a folder, while sessions run."""

import asyncio
import contextlib
import logging
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from serve.client import ServerError, StreamClient
from serve.http.adapters import _LOOK_S
from speech import Recognizer
from speech.audio.input.files import load_audio
from speech.audio.input.pcm import to_pcm16
from speech.cli.app import app
from speech.errors import ConfigError, ModelError, SpeechError
from speech.models.adapters.file import AdapterFile, fingerprint, save_adapter
from speech.models.hub import EMBEDDED, locate
from speech.nn.adapters import Adapter, AdapterBank
from speech.stream.session import StreamOptions
from tests.conftest import CLIPS, CORPUS
from tests.ctc_half import ctc_half
from tests.serve.conftest import Running, running, until

AUDIO = CORPUS / "asterisk_core_sounds" / "audio"
FRENCH = AUDIO / "fra" / "ast_fr_priv-callpending.ogg"
ENGLISH = AUDIO / "eng" / "ast_en_priv-callpending.ogg"
ASTURIAN = CLIPS.parent / "ast_es_confbridge-has-joined.ogg"
PAUSE = np.zeros(16_000, np.float32)
KEY = {"Authorization": "Bearer key"}


def strong(dim: int, tokens: tuple[str, ...] = ()) -> Adapter:
    """It turns everything into something else."""
    torch.manual_seed(5)
    adapter = Adapter((4, 5, 6), dim, 8, tokens)
    with torch.no_grad():
        adapter.up.normal_()
        adapter.rows.normal_()
    return adapter.requires_grad_(False)


@pytest.fixture(scope="module")
def dim(recognizer) -> int:
    return recognizer.model.config.encoder.dim


@pytest.fixture
def make(tmp_path, dim):
    """Files of adapters, for the embedded model unless it says otherwise."""

    def make(code: str = "fra", *, base: str = "", **options: Any) -> Path:
        path = tmp_path / "made" / f"{code}.safetensors"
        scores = {"dev_cer": 0.25, "step": 30.0}
        adapter = strong(options.pop("dim", dim), **options)
        save_adapter(path, AdapterFile(adapter, code, base or fingerprint(locate(EMBEDDED)), "a card", scores))
        return path

    return make


@pytest.fixture(scope="module")
def open_server() -> Iterator[Running]:
    with running(model=ctc_half(), allow_adapters=True) as found:
        yield found


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer.from_pretrained(ctc_half())


@pytest.fixture
def live(open_server) -> Iterator[Running]:
    """One whose adapters may be changed; it has none before and after."""
    yield open_server
    for code in codes(open_server):
        assert httpx.delete(f"{open_server.http}/v1/adapters/{code}").status_code == 200


def codes(server: Running) -> list[str]:
    return [item["code"] for item in httpx.get(f"{server.http}/v1/adapters").json()["data"]]


def upload(server: Running, path: Path, code: str = "fra", **options: Any) -> httpx.Response:
    return httpx.put(f"{server.http}/v1/adapters/{code}", content=path.read_bytes(), timeout=60, **options)


def gauge(server: Running) -> str:
    lines = httpx.get(f"{server.http}/metrics").text.splitlines()
    return next(line for line in lines if line.startswith("speech_adapters "))


class Speaker:
    """A session that says utterances one by one, and hears each to its final."""

    def __init__(self, server: Running, code: str, *paths: Path) -> None:
        self._client = StreamClient(f"{server.ws}/v1/stream", languages=[code])
        self._spoken = [np.concatenate([load_audio(path), PAUSE]) for path in paths]
        self.events: list[dict[str, Any]] = []

    async def __aenter__(self) -> "Speaker":
        await self._client.__aenter__()
        self._listener = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *error: Any) -> None:
        if error[0] is None:
            await self._client.stop()
            await asyncio.wait_for(self._listener, 60)
        self._listener.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._listener
        await self._client.__aexit__(*error)

    async def _listen(self) -> None:
        async for event in self._client:
            self.events.append(event)

    async def say(self, number: int) -> None:
        """The final comes when half a second of silence has followed."""
        pcm, count = to_pcm16(self._spoken[number]), len(self.finals())
        for start in range(0, len(pcm), 8000):
            await self._client.send(pcm[start : start + 8000])
        await until(lambda: len(self.finals()) > count)

    def finals(self) -> list[dict[str, Any]]:
        return [e for e in self.events if e["type"] == "transcript" and e["is_final"]]

    def words(self) -> list[list[dict[str, Any]]]:
        return [event["words"] for event in self.finals()]


def by_engine(recognizer, code: str, path: Path, count: int) -> list[str]:
    """Finals of the same stream, without a server."""
    session = recognizer.engine().open(StreamOptions(languages=(code,)))
    samples = np.concatenate([load_audio(path), PAUSE] * count)
    events = [event for start in range(0, len(samples), 4000) for event in session.accept(samples[start:][:4000])]
    return [e.text for e in [*events, *session.finish()] if e.type == "transcript" and e.is_final]


def test_an_adapter_comes_and_goes_while_sessions_run(live, make, dim, recognizer):
    plain = by_engine(recognizer, "fra", FRENCH, 3)
    recognizer.adapters = AdapterBank({"fra": strong(dim)})
    adapted = by_engine(recognizer, "fra", FRENCH, 3)
    recognizer.adapters = None
    assert len(plain) == len(adapted) == 3
    assert not set(plain) & set(adapted)

    async def conversation() -> tuple[Speaker, Speaker, Speaker]:
        french = Speaker(live, "fra", FRENCH, FRENCH, FRENCH)
        english = Speaker(live, "eng", ENGLISH, ENGLISH, ENGLISH)
        undisturbed = Speaker(live, "eng", ENGLISH, ENGLISH, ENGLISH)
        async with undisturbed:
            for number in range(3):
                await undisturbed.say(number)
        path = make()
        async with french, english:
            await asyncio.gather(french.say(0), english.say(0))
            halfway = asyncio.create_task(english.say(1))  # the bank changes in the middle of it
            answer = await asyncio.to_thread(upload, live, path)
            assert answer.status_code == 201
            await asyncio.gather(french.say(1), halfway)
            gone = await asyncio.to_thread(httpx.delete, f"{live.http}/v1/adapters/fra")
            assert gone.json() == {"code": "fra", "object": "adapter", "deleted": True}
            await asyncio.gather(french.say(2), english.say(2))
        return french, english, undisturbed

    french, english, undisturbed = asyncio.run(conversation())
    assert [event["text"] for event in french.finals()] == [plain[0], adapted[1], plain[2]]
    assert english.words() == undisturbed.words()  # confidences and times too
    assert all(english.words())


def test_what_there_is_is_listed_counted_and_told(live, make, dim):
    listing = httpx.get(f"{live.http}/v1/adapters").json()
    assert listing["data"] == []
    assert (listing["changeable"], listing["max_bytes"]) == (True, 64 << 20)
    assert listing["base"] == fingerprint(locate(EMBEDDED)) == httpx.get(f"{live.http}/version").json()["sha256"]
    assert gauge(live) == "speech_adapters 0.0"
    assert upload(live, make()).status_code == 201
    answer = upload(live, make())
    assert answer.status_code == 200  # another one in its place
    (item,) = httpx.get(f"{live.http}/v1/adapters").json()["data"]
    assert item == answer.json()
    assert (item["code"], item["name"], item["layers"], item["width"]) == ("fra", "French", [4, 5, 6], 8)
    assert item["parameters"] == 3 * (8 * (2 * dim + 1) + 3 * dim)
    assert (item["scores"], item["source"], item["tokens"]) == ({"dev_cer": 0.25, "step": 30.0}, "upload", 0)
    assert gauge(live) == "speech_adapters 1.0"
    assert httpx.get(f"{live.http}/version").json()["adapters"] == ["fra"]


def test_files_over_http_are_heard_with_it_too(live, make):
    def text() -> str:
        with FRENCH.open("rb") as file:
            url, form = f"{live.http}/v1/audio/transcriptions", {"language": "fra"}
            return httpx.post(url, files={"file": ("a.ogg", file)}, data=form, timeout=60).json()["text"]

    before = text()
    upload(live, make())
    assert text() != before
    httpx.delete(f"{live.http}/v1/adapters/fra")
    assert text() == before


def test_a_language_that_the_model_does_not_know_comes_with_its_letters(live, make):
    async def say() -> str:
        async with Speaker(live, "ast", ASTURIAN) as speaker:
            await speaker.say(0)
        return speaker.finals()[0]["text"]

    with pytest.raises(ServerError, match="does not know 'ast'"):
        asyncio.run(say())
    assert upload(live, make("ast", tokens=("ŵ",)), "ast").status_code == 201
    assert asyncio.run(say())
    known = [item["code"] for item in httpx.get(f"{live.http}/web/model.json").json()["languages"]]
    assert "ast" in known
    httpx.delete(f"{live.http}/v1/adapters/ast")
    with pytest.raises(ServerError, match="does not know 'ast'"):
        asyncio.run(say())


@pytest.mark.parametrize(
    ("code", "options", "status", "kind", "says"),
    [
        ("fra", {"base": "0" * 64}, 409, "wrong_base", "is for another model: trained behind 000000000000, this is"),
        ("deu", {}, 400, "bad_language", "the adapter is for 'fra', the address says 'deu'"),
        ("xyz", {}, 400, "bad_language", "'xyz' is not a known language"),
        ("French", {}, 400, "bad_language", "give its ISO 639-3 code"),
        ("fra", {"dim": 32}, 400, "bad_adapter", "is for frames of 32 behind layers up to 6; the model has"),
    ],
)
def test_an_adapter_that_does_not_fit_is_refused(live, make, code, options, status, kind, says):
    answer = upload(live, make("fra", **options), code)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == kind
    assert says in answer.json()["error"]["message"]
    assert codes(live) == []


@pytest.mark.parametrize("body", [b"", b"garbage" * 100, "clip", "model", "cut"])
def test_what_is_no_adapter_is_refused(live, make, body):
    whole = make().read_bytes()
    model = (locate(EMBEDDED) / "model.safetensors").read_bytes()
    content = {"clip": ASTURIAN.read_bytes(), "model": model, "cut": whole[: len(whole) // 2]}.get(body, body)
    answer = httpx.put(f"{live.http}/v1/adapters/fra", content=content, timeout=60)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad_adapter"
    assert answer.json()["error"]["message"].startswith("adapter: ")
    assert codes(live) == []


def test_one_that_is_not_there_cannot_be_removed(live):
    answer = httpx.delete(f"{live.http}/v1/adapters/fra")
    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == "there is no adapter for 'fra'; there is none"


def test_adapters_are_fixed_unless_the_operator_says_otherwise(server, make):
    for answer in (upload(server, make()), httpx.delete(f"{server.http}/v1/adapters/fra")):
        assert answer.status_code == 403
        assert "--allow-adapters" in answer.json()["error"]["message"]
    assert httpx.get(f"{server.http}/v1/adapters").json()["changeable"] is False
    with pytest.raises(SpeechError, match="does not allow changes to its adapters"):
        speech("add", make(), "--server", server.http)


def test_a_folder_is_kept_followed_and_guarded(make, tmp_path, caplog):
    folder = tmp_path / "adapters"
    folder.mkdir()
    shutil.copy(make("spa"), folder)
    options = {"adapters": str(folder), "allow_adapters": True, "api_keys": ["key"], "max_adapter_bytes": 1 << 20}
    caplog.set_level(logging.WARNING, "serve.http.adapters")
    with running(**options) as guarded:
        url = f"{guarded.http}/v1/adapters"

        def listed() -> dict[str, str]:
            return {item["code"]: item["source"] for item in httpx.get(url, headers=KEY).json()["data"]}

        assert httpx.get(url).status_code == upload(guarded, make()).status_code == 401
        made = httpx.post(f"{guarded.http}/v1/realtime/client_secrets", headers=KEY).json()["value"]
        token = {"Authorization": f"Bearer {made}"}
        assert httpx.get(url, headers=token).status_code == 403  # it opens websockets
        refused = upload(guarded, make(), headers=token)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
        assert listed() == {"spa": "folder"}

        large = httpx.put(f"{url}/fra", content=b"\0" * (1 << 22), headers=KEY, timeout=60)
        assert large.status_code == 413
        assert large.json()["error"]["message"] == "the adapter is larger than 1048576 bytes"

        path = make()
        assert upload(guarded, path, headers=KEY).status_code == 201
        assert listed() == {"fra": "folder", "spa": "folder"}
        assert (folder / "fra.safetensors").read_bytes() == path.read_bytes()
        assert httpx.delete(f"{url}/spa", headers=KEY).status_code == 200
        assert [path.name for path in folder.iterdir()] == ["fra.safetensors"]

        (folder / "fra.safetensors").write_text("damaged")  # what was loaded stays
        shutil.copy(make("ita"), folder)
        deadline = time.monotonic() + 10 * _LOOK_S
        while "ita" not in listed():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert listed() == {"fra": "folder", "ita": "folder"}
        assert sum("fra.safetensors: cannot be read" in message for message in caplog.messages) == 1
        for path in folder.iterdir():
            path.unlink()
        while listed():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert upload(guarded, make(), headers=KEY).status_code == 201
    with running(**options) as again:
        assert httpx.get(f"{again.http}/v1/adapters", headers=KEY).json()["data"][0]["code"] == "fra"


# The command line


def speech(*arguments: Any) -> Any:
    return CliRunner().invoke(app, ["adapters", *map(str, arguments)], catch_exceptions=False)


def test_the_command_line_reaches_a_running_server(live, make):
    path = make()
    assert "French (fra)" in speech("add", path, "--server", live.http).stderr
    assert codes(live) == ["fra"]
    shown = speech("list", "--server", live.http.replace("http:", "ws:") + "/v1/stream").stdout
    assert "French" in shown
    assert "4-6" in shown
    with pytest.raises(ModelError, match="has an adapter for 'fra' already"):
        speech("add", path, "--server", live.http)
    speech("add", path, "--server", live.http, "--force")
    speech("remove", "French", "--server", live.http)
    assert codes(live) == []
    with pytest.raises(SpeechError, match="there is no adapter for 'fra'"):
        speech("remove", "fra", "--server", live.http)
    with pytest.raises(ModelError, match="the server's is"):
        speech("add", make(base="0" * 64), "--server", live.http)


def test_the_command_line_says_what_a_server_lacks(live, make, tmp_path):
    with pytest.raises(SpeechError, match="cannot be reached"):
        speech("list", "--server", "http://127.0.0.1:9")
    with pytest.raises(SpeechError, match="answers 404 Not Found"):
        speech("list", "--server", f"{live.http}/elsewhere")
    for wrong in ("localhost:8000", "file:///etc/passwd", ""):
        with pytest.raises(ConfigError, match="is not the address of a server"):
            speech("list", "--server", wrong)
    with pytest.raises(ConfigError, match="Give one of them"):
        speech("add", make(), "--server", live.http, "--model", "embedded")
    with pytest.raises(ModelError, match="cannot be read"):
        speech("add", tmp_path / "none.safetensors", "--server", live.http)
