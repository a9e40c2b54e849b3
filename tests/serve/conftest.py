"""A real server with the embedded model on a free port."""

import asyncio
import json
import shutil
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import soundfile
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from serve.client import StreamClient
from serve.command import Server, make_server
from serve.config import ServeConfig
from serve.protocols import wire
from serve.sessions.live import LiveSession
from serve.sessions.options import Facts
from speech import Recognizer
from speech.audio.input.files import load_audio
from speech.audio.input.pcm import to_pcm16
from speech.data.manifest import read_manifest
from speech.models.hub import EMBEDDED, locate
from speech.models.translation_targets import TargetScore, write_targets
from tests.conftest import CLIPS


def facts(**config: Any) -> Facts:
    """What sessions of the tests know without a server."""
    return Facts(
        config=ServeConfig(**config),
        model=wire.ModelInfo(id="embedded", sha256="0"),
        languages=("deu", "eng", "spa"),
        targets=("eng",),
        drafts_into=("eng",),
        check=lambda request: None,
        server="speech test",
    )


def audio(live: LiveSession, data: bytes, now: float) -> None:
    """A binary frame for a session, decoded here and now."""
    if live.accept(data, now):
        live.take(live.intake.decode(data))


@dataclass(frozen=True)
class Running:
    """A server and where it is."""

    server: Server
    port: int

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def registry(self) -> Any:
        return self.server.config.app.state.parts.registry


@contextmanager
def running(**options: Any) -> Iterator[Running]:
    """A server for the time of the block; where it is busy, no text is another for that."""
    server = make_server(ServeConfig(**{"port": 0, "max_load": 1000.0, "fallback": "fallback_s" in options} | options))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield Running(server, server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(timeout=20)
    assert not thread.is_alive()


def play(server: Running, pcm: bytes, piece: int = 64_000, **start: Any) -> list[dict[str, Any]]:
    """All that a session says of samples that come in pieces of so many bytes."""

    async def conversation() -> list[dict[str, Any]]:
        async with StreamClient(f"{server.ws}/v1/stream", **start) as client, asyncio.TaskGroup() as group:
            group.create_task(client.send_all([pcm[n : n + piece] for n in range(0, len(pcm), piece)]))
            return [event async for event in client]

    return asyncio.run(conversation())


def finals(events: list[dict[str, Any]]) -> str:
    """The text of a session."""
    return " ".join(e["text"] for e in events if e["type"] == "transcript" and e["is_final"] and e["text"])


async def listen(socket: ClientConnection) -> list[dict[str, Any]]:
    """Everything to the close."""
    events = []
    try:
        while True:
            events.append(json.loads(await asyncio.wait_for(socket.recv(), 30)))
    except ConnectionClosed:
        return events


async def status(url: str, **options: Any) -> int:
    """Of the answer to a handshake."""
    try:
        async with connect(url, **options):
            return 101
    except InvalidStatus as error:
        return error.response.status_code


async def until(what: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for something that happens elsewhere."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def beside(url: str, pcm: bytes, said: str, **options: Any) -> AsyncIterator[StreamClient]:
    """A healthy session around the block: half of its audio before it, half behind it, and the text of the file."""
    events = []
    async with StreamClient(f"{url}/v1/stream", **options) as client:

        async def listen() -> None:
            async for event in client:
                events.append(event)

        listener = asyncio.create_task(listen())
        half = len(pcm) // 4 * 2
        await client.send(pcm[:half])
        await until(lambda: any(event["type"] == "transcript" for event in events))
        yield client
        await client.send_all([pcm[half:]])
        await asyncio.wait_for(listener, 60)
    assert finals(events) == said
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    assert events[-1]["type"] == "end"
    assert client.reconnect_attempts == 0


@pytest.fixture(scope="session")
def server() -> Iterator[Running]:
    with running() as found:
        yield found


@pytest.fixture(scope="session")
def translating(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server whose model says of itself that it translates into Spanish."""
    folder = tmp_path_factory.mktemp("translating") / "model"
    shutil.copytree(locate(EMBEDDED), folder)
    write_targets(folder, {"spa": TargetScore(40.0, 20.0, 30, ("eng",), "made up")})
    with running(model=str(folder)) as found:
        yield found


@pytest.fixture(scope="session")
def pcm(speech: np.ndarray) -> bytes:
    """The speech of the tests as PCM16."""
    return to_pcm16(speech)


@pytest.fixture(scope="session")
def said(recognizer: Recognizer, pcm: bytes) -> str:
    """What a file of it says."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
    return recognizer.transcribe(samples).text


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    """One that the model reads well, float32 at 16 kHz."""
    clips = {clip.id: clip for clip in read_manifest(CLIPS, check_files=True)}
    return load_audio(clips["ast_ru_vm-next"].audio)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, clip: np.ndarray) -> Iterator[Any]:
    """Chromium with a microphone that says the clip once, after two seconds of silence."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: uv pip install playwright")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs chromium: apt-get install chromium")
    spoken = tmp_path_factory.mktemp("microphone") / "clip.wav"
    silence = np.zeros(32_000, np.float32)
    soundfile.write(spoken, np.concatenate([silence, clip, silence]), 16_000, subtype="PCM_16")
    flags = [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={spoken}%noloop",
        "--no-sandbox",
    ]
    with sync_api.sync_playwright() as playwright:
        chrome = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield chrome
        chrome.close()
