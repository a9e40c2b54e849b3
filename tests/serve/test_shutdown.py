"""The server stops, or its engine fails: every client hears it and keeps what it has said."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import numpy as np
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from serve.client import ServerError, StreamClient
from speech.stream.session import StreamingSession
from tests.serve.conftest import Running, beside, finals, listen, running, until

BLOCK = 6400


@contextmanager
def process(**environment: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """`speech serve` on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = "from speech.cli.app import main; main()"
    command = [sys.executable, "-c", program, "serve", "--port", str(port)]
    found = subprocess.Popen(command, env=os.environ | environment, stderr=subprocess.DEVNULL)
    try:
        yield found, port
    finally:
        found.kill()
        found.wait()


async def ready(port: int) -> None:
    async with httpx.AsyncClient() as client:
        for _ in range(600):
            with contextlib.suppress(httpx.TransportError):
                if (await client.get(f"http://127.0.0.1:{port}/health/ready")).status_code == 200:
                    return
            await asyncio.sleep(0.1)
    pytest.fail("the server does not become ready")


class Speaker:
    """A client that speaks in real time until it hears `goaway`, or on and on."""

    def __init__(self, url: str, pcm: bytes, polite: bool) -> None:
        self._url, self._pcm, self._polite = url, pcm, polite
        self.events: list[dict[str, Any]] = []
        self.sent = 0

    async def run(self) -> None:
        async with StreamClient(self._url) as client, asyncio.TaskGroup() as group:
            sender = group.create_task(client.send_all(self._blocks()))
            async for event in client:
                self.events.append(event)
            sender.cancel()

    async def _blocks(self) -> AsyncIterator[bytes]:
        while not (self._polite and self.heard("goaway")):
            start = self.sent % len(self._pcm)
            block = self._pcm[start : start + BLOCK]
            self.sent += len(block)
            yield block
            await asyncio.sleep(0.1)

    def heard(self, kind: str) -> bool:
        return any(event["type"] == kind for event in self.events)


def test_a_signal_under_load_gives_everybody_a_goodbye_finals_and_an_end(pcm, recognizer):
    pcm = pcm[: len(pcm) // 32 * 32]  # whole milliseconds, in which `end` counts

    async def conversation(server: subprocess.Popen[bytes], port: int) -> list[Speaker]:
        await ready(port)
        url = f"ws://127.0.0.1:{port}/v1/stream"
        speakers = [Speaker(url, pcm, polite=number != 3) for number in range(4)]
        async with connect(url) as silent, asyncio.TaskGroup() as group:
            await silent.send('{"type":"start"}')
            for speaker in speakers:
                group.create_task(speaker.run())
            await until(lambda: all(speaker.heard("transcript") for speaker in speakers))
            server.send_signal(signal.SIGTERM)
            quiet = await listen(silent)
        assert [event["type"] for event in quiet] == ["started", "goaway", "end"]
        assert silent.close_code == 1000
        return speakers

    # The last five seconds of ten are for finals; on a slow machine too they are the decoder's, as a file's text is.
    with process(SPEECH_DRAIN_S="10", SPEECH_FALLBACK="false") as (server, port):
        speakers = asyncio.run(conversation(server, port))
        assert server.wait(20) == 0
    for speaker in speakers:
        kinds = [event["type"] for event in speaker.events]
        assert kinds.count("goaway") == 1
        assert kinds[-1] == "end"
        heard = speaker.events[-1]["audio_ms"] * 32
        assert heard <= speaker.sent
        audio = (pcm * 9)[:heard]
        text = recognizer.transcribe(np.frombuffer(audio, "<i2").astype(np.float32) / 32768).text
        assert finals(speaker.events) == text
    assert [speaker.events[-1]["reason"] for speaker in speakers] == ["client"] * 3 + ["shutdown"]
    assert all(speaker.events[-1]["audio_ms"] * 32 == speaker.sent for speaker in speakers[:3])


# The engine


@contextmanager
def poisoned(method: str, marked: Callable[[StreamingSession], bool]) -> Iterator[None]:
    """Sessions whose step fails, as long as the block lasts."""
    whole = getattr(StreamingSession, method)

    def step(self: StreamingSession, *arguments: Any) -> None:
        if marked(self):
            raise ValueError("poison")
        whole(self, *arguments)

    setattr(StreamingSession, method, step)
    try:
        yield
    finally:
        setattr(StreamingSession, method, whole)


@pytest.mark.parametrize("method", ["take_part", "take_chunk", "push"])
def test_what_fails_for_one_session_ends_that_session_only(server: Running, pcm, said, method):
    async def conversation() -> tuple[list[dict[str, Any]], int | None]:
        url = f"{server.ws}/v1/stream?languages=deu"
        async with beside(server.ws, pcm, said), beside(server.ws, pcm, said), connect(url) as socket:
            for start in range(0, len(pcm), 16_000):
                await socket.send(pcm[start : start + 16_000])
            events = await listen(socket)
            return events, socket.close_code

    with poisoned(method, lambda session: session.options.languages == ("deu",)):
        events, code = asyncio.run(conversation())
    assert code == 1011
    assert (events[-1]["code"], events[-1]["fatal"], events[-1]["retryable"]) == ("internal", True, True)
    assert httpx.get(f"{server.http}/health/ready").status_code == 200


def test_a_result_that_cannot_be_said_ends_its_session_only(server: Running, pcm, said, monkeypatch):
    from serve.sessions.live import LiveSession

    worked = LiveSession.worked

    def failing(self: LiveSession, *arguments: Any) -> None:
        if self.requests.options.languages == ("deu",):
            raise ValueError("poison")
        worked(self, *arguments)

    monkeypatch.setattr(LiveSession, "worked", failing)

    async def conversation() -> int | None:
        async with beside(server.ws, pcm, said), connect(f"{server.ws}/v1/stream?languages=deu") as socket:
            await socket.send(pcm[:32_000])
            await listen(socket)
            return socket.close_code

    assert asyncio.run(conversation()) == 1011


def test_an_engine_that_fails_tells_all_sessions_and_ends_the_server(server: Running, pcm, said):
    async def conversation(broken: Running) -> list[str]:
        async with beside(server.ws, pcm, said):  # another server
            clients = [StreamClient(f"{broken.ws}/v1/stream") for _ in range(3)]
            codes = []
            async with contextlib.AsyncExitStack() as stack:
                for client in clients:
                    await stack.enter_async_context(client)
                broken.registry._worker._turn = lambda: 1 / 0
                await clients[0].send(pcm[:32_000])
                for client in clients:
                    with pytest.raises(ServerError) as caught:
                        await asyncio.wait_for(hear_out(client), 20)
                    codes.append(caught.value.code)
            assert broken.registry.failed
            await until(lambda: broken.server.should_exit)
        return codes

    with running() as broken:
        assert asyncio.run(conversation(broken)) == ["internal"] * 3
        assert broken.server.failed


async def hear_out(client: StreamClient) -> None:
    async for _ in client:
        pass


def test_many_failures_in_a_row_are_one_of_the_engine(pcm):
    async def conversation(broken: Running) -> int:
        broken.registry._worker._engine.step = lambda sessions, fine: 1 / 0
        for number in range(100):
            if broken.registry.failed:
                return number
            with contextlib.suppress(OSError, ServerError, InvalidStatus):
                async with StreamClient(f"{broken.ws}/v1/stream", resume=False) as client:
                    await client.send(pcm[:32_000])
                    await asyncio.wait_for(hear_out(client), 20)
        return 100

    with running() as broken:
        assert 10 < asyncio.run(conversation(broken)) < 30
        assert broken.registry.admit() is not None
