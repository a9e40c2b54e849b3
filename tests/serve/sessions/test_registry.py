"""How many may wait, for their clients or to begin; and what is done beside the event loop, in order."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from serve.sessions.attached import Attached
from tests.serve.conftest import Running, beside, finals, listen, running, status, until

LAST = ["finalized", "end"]
LANES = [
    ("/v1/stream", ""),
    ("/v1/realtime", '{"type":"session.update","session":{}}'),
    ("/v1/listen", ""),
    ("/vosk", ""),
]


@asynccontextmanager
async def begun(server: Running, heard: bytes = b"", **start: Any) -> AsyncIterator[tuple[ClientConnection, Attached]]:
    """A session that has taken some audio."""
    async with connect(f"{server.ws}/v1/stream") as socket:
        await socket.send(json.dumps({"type": "start", **start}))
        session = json.loads(await socket.recv())["session"]
        attached = server.registry._sessions[session]
        if heard:
            await socket.send(heard)
            await until(lambda: attached.session.intake.received_bytes == len(heard))
        yield socket, attached


def held(attached: Attached, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """What lets the session's decoder go on."""
    decode, gate = attached.session.intake.decode, threading.Event()
    monkeypatch.setattr(attached.session.intake, "decode", lambda data: (gate.wait(20), decode(data))[1])
    return gate


def test_sessions_that_are_opened_and_dropped_keep_no_more_than_so_many_places(pcm):
    async def conversation(full: Running) -> None:
        async with begun(full, pcm[:64_000]) as (used, kept):
            await until(lambda: kept.opened_at + 1.0 < time.monotonic())
            used.transport.abort()
        await until(lambda: kept.parked_at is not None)
        for _ in range(30):
            async with begun(full) as (socket, attached):
                socket.transport.abort()
            await until(lambda: attached.parked_at is not None)
            assert len(full.registry) <= 3
            assert len(full.registry._worker._slots) <= 3
        assert full.registry.knows(kept.session.id)  # which was in use

    with running(max_sessions=2, max_parked=2) as full:
        asyncio.run(conversation(full))


@pytest.mark.parametrize(("path", "hello"), LANES)
def test_connections_that_never_begin_are_few_and_do_not_stay(path, hello):
    async def conversation(full: Running) -> None:
        async with AsyncExitStack() as stack:
            sockets = [await stack.enter_async_context(connect(full.ws + path)) for _ in range(3)]
            for socket in sockets:
                if hello:
                    await socket.send(hello)
            await until(lambda: full.registry.waiting.crowded())
            assert await status(full.ws + path) == 503
            began = time.monotonic()
            while hello and time.monotonic() < began + 1.0:  # it goes on saying nothing
                await sockets[0].send(hello)
                await asyncio.sleep(0.1)
            events = await listen(sockets[0])
            assert sockets[0].close_code == 4408
            assert "no_start" in json.dumps(events) or path == "/vosk"
            await until(lambda: not full.registry.waiting.crowded())
            assert await status(full.ws + path) == 101

    with running(max_waiting=3, first_message_s=2.0, idle_s=3.0) as full:
        asyncio.run(conversation(full))


def test_a_session_whose_audio_is_being_decoded_goes_on_elsewhere_without_loss(server: Running, pcm, said, monkeypatch):
    """A connection breaks while a thread decodes: nothing is lost, nothing comes twice, and others do not wait."""

    async def conversation() -> None:
        async with begun(server, audio={"encoding": "auto"}) as (socket, attached), beside(server.ws, pcm, said):
            gate = held(attached, monkeypatch)
            token = attached.session.presence.token
            await socket.send(pcm[:100_000])
            await until(lambda: attached.decoding is not None)
            socket.transport.abort()
            async with connect(f"{server.ws}/v1/stream?session={attached.session.id}") as second:
                resume = {"type": "resume", "session": attached.session.id, "token": token, "last_seq": 1}
                await second.send(json.dumps(resume))
                resumed = json.loads(await second.recv())
                assert resumed["received_bytes"] == 100_000
                await second.send(pcm[100_000:])
                await second.send('{"type":"stop"}')
                await asyncio.sleep(0.2)
                assert attached.session.flow.received_s == 0.0
                gate.set()
                assert finals(await listen(second)) == said

    asyncio.run(conversation())


def test_a_session_that_is_stopped_while_audio_is_decoded_hears_all_of_it(server: Running, pcm, said, monkeypatch):
    async def conversation() -> None:
        async with begun(server, audio={"encoding": "auto"}) as (socket, attached):
            gate = held(attached, monkeypatch)
            await socket.send(pcm)
            await until(lambda: attached.decoding is not None)
            attached.decoding.get_loop().call_soon_threadsafe(attached.session.stop, "shutdown")
            await asyncio.sleep(0.1)
            gate.set()
            assert finals(await listen(socket)) == said

    asyncio.run(conversation())


def test_phrases_are_compiled_beside_the_event_loop_and_in_order(server: Running, pcm, said, monkeypatch):
    compiled, check = [], server.registry.facts.check

    def slow(request: Any) -> object:
        compiled.append(threading.current_thread().name)
        time.sleep(0.5)
        return check(request)

    monkeypatch.setattr(server.registry.facts, "check", slow)

    async def conversation() -> None:
        async with beside(server.ws, pcm, said), connect(f"{server.ws}/v1/stream") as socket:
            await socket.send('{"type":"start","phrases":["new york"]}')
            await socket.send('{"type":"update","phrases":["old york", "york"]}')
            await socket.send('{"type":"update","phrases":["york^none"]}')
            await socket.send('{"type":"finalize","id":"a"}')
            await socket.send('{"type":"stop"}')
            events = await listen(socket)
        kinds = [e["type"] for e in events if e["type"] != "ack"]
        assert kinds in (["started", "updated", "error", *LAST], ["started", "error", "updated", *LAST])

    asyncio.run(conversation())
    assert len(compiled) == 2
    assert all(name.startswith("speech-compile") for name in compiled)


@pytest.mark.parametrize(
    "message", ['{"type":"finalize"}', '{"type":"update","interim":"off"}', '{"type":"keepalive"}']
)
def test_a_flood_of_messages_is_read_no_faster_than_it_is_answered(server: Running, pcm, said, message):
    async def conversation() -> None:
        most = 0
        async with begun(server) as (socket, attached), beside(server.ws, pcm, said):

            async def flood() -> None:
                for _ in range(3000):
                    await socket.send(message)
                await socket.send('{"type":"stop"}')

            flooding, listening = asyncio.create_task(flood()), asyncio.create_task(listen(socket))
            while not listening.done():
                slot, session = attached.slot, attached.session
                waiting = 0 if slot is None else len(slot.inbox) + len(slot.stream.waiting)
                most = max(
                    most, waiting + len(session.requests.work), session.requests.unanswered, len(session.outbox) - 200
                )
                await asyncio.sleep(0.01)
            await flooding
            events = listening.result()
        assert most <= 70
        assert sum(e["type"] in ("finalized", "updated", "alive") for e in events) == 3000

    asyncio.run(conversation())
