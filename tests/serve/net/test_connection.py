"""Clients that are there and do not answer, do not read or do not ask: nothing of the server clings to them."""

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from serve.net import connection
from serve.sessions.attached import Attached
from tests.serve.conftest import Running, beside, finals, listen, running, until

START = '{"type":"start"}'
WRONG = json.dumps({"type": "update", "languages": ["Klingon of the seven seas"]})


async def come_back(
    here: Running, started: dict[str, Any], pcm: bytes, known: Callable[[], int] = lambda: 1
) -> list[dict[str, Any]]:
    """All events after the `known` one, of a client that says the rest of its audio on another connection."""
    async with connect(f"{here.ws}/v1/stream", max_queue=None) as socket:
        session, token, last_seq = started["session"], started["resume_token"], known()
        await socket.send(json.dumps({"type": "resume", "session": session, "token": token, "last_seq": last_seq}))
        resumed = json.loads(await socket.recv())
        await socket.send(pcm[resumed["received_bytes"] :])
        await socket.send('{"type":"stop"}')
        return await listen(socket)


def remembered(attached: Attached) -> int:
    """The last event that the client has to know; the network may hold more than the server remembers."""
    return max(1, attached.session.outbox._ring[0].seq - 1)


def sockets(here: Running) -> int:
    return len(here.server.server_state.connections)


def test_a_client_that_does_not_answer_pings_loses_its_connection_not_its_session(pcm, said):
    async def conversation(alert: Running) -> list[dict[str, Any]]:
        async with beside(alert.ws, pcm, said):
            gone = await connect(f"{alert.ws}/v1/stream", ping_interval=None)
            await gone.send(START)
            started = json.loads(await gone.recv())
            await gone.send(pcm[:64_000])
            gone.transport.pause_reading()  # nobody is there any more, and nobody says so
            attached = alert.registry._sessions[started["session"]]
            await until(lambda: attached.parked_at is not None)
            await until(lambda: sockets(alert) == 1)
            events = await come_back(alert, started, pcm)
            gone.transport.abort()
            return events

    with running(ping_s=0.3) as alert:
        events = asyncio.run(conversation(alert))
    assert finals(events) == said
    assert [e["seq"] for e in events] == list(range(2, len(events) + 2))


def test_a_client_that_the_server_does_not_listen_to_need_not_answer_pings(pcm):
    async def conversation(slow: Running) -> tuple[list[dict[str, Any]], int | None]:
        engine, hold = slow.registry._worker._engine, threading.Event()
        step = engine.step
        engine.step = lambda sessions, fine: hold.wait(20) and step(sessions)
        async with connect(f"{slow.ws}/v1/stream", ping_interval=None) as socket:
            await socket.send(START)
            for start in range(0, len(pcm), 3200):
                await socket.send(pcm[start : start + 3200])
            await asyncio.sleep(1.5)  # several pings, whose answers wait behind the audio
            hold.set()
            await socket.send(b"")
            return await listen(socket), socket.close_code

    with running(ping_s=0.3, max_lead_s=0.5) as slow:
        events, code = asyncio.run(conversation(slow))
    assert code == 1000
    assert events[-1]["type"] == "end"


def test_a_client_that_does_not_read_is_cut_off_and_can_come_back(pcm, said):
    longest = 0

    async def conversation(impatient: Running) -> list[dict[str, Any]]:
        nonlocal longest
        async with beside(impatient.ws, pcm, said):
            slow = await connect(f"{impatient.ws}/v1/stream", ping_interval=None)
            await slow.send(START)
            started = json.loads(await slow.recv())
            slow.transport.pause_reading()
            attached = impatient.registry._sessions[started["session"]]
            changed = attached.changed

            def watch() -> None:
                nonlocal longest
                longest = max(longest, len(attached.session.outbox))
                changed()

            attached.changed = watch  # type: ignore[method-assign]
            await slow.send(pcm[:32_000])
            flood = asyncio.create_task(say_wrong_things(slow))
            await until(lambda: attached.parked_at is not None)
            flood.cancel()
            await asyncio.gather(flood, return_exceptions=True)
            await until(lambda: sockets(impatient) == 1)
            events = await come_back(impatient, started, pcm, lambda: remembered(attached))
            slow.transport.abort()
            return events

    with running(slow_reader_s=0.5) as impatient:
        events = asyncio.run(conversation(impatient))
    assert 200 < longest < 400  # messages that wait for it
    assert finals(events) == said
    assert [e["seq"] for e in events] == list(range(events[0]["seq"], events[0]["seq"] + len(events)))


async def say_wrong_things(socket: ClientConnection) -> None:
    """Messages that are answered by longer ones, as long as the server takes them."""
    while True:
        await socket.send(WRONG)


def test_what_an_old_connection_still_holds_is_not_heard_after_a_resume(pcm, said):
    async def conversation(patient: Running) -> tuple[list[dict[str, Any]], int]:
        old = await connect(f"{patient.ws}/v1/stream", ping_interval=None)
        await old.send(START)
        started = json.loads(await old.recv())
        old.transport.pause_reading()
        attached = patient.registry._sessions[started["session"]]
        flood = asyncio.create_task(say_wrong_things(old))
        await until(lambda: not attached.room.is_set())
        flood.cancel()
        await asyncio.gather(flood, return_exceptions=True)
        before = -1
        while before != attached.session.outbox.seq:  # what it has taken already, it answers
            before = attached.session.outbox.seq
            await asyncio.sleep(0.3)
        for start in range(0, 320_000, 32_000):
            old.transport.write(b"\x82\xfe\x7d\x00\0\0\0\0" + pcm[start // 3 * 2 :][:32_000].ljust(32_000, b"\1"))
        events = await come_back(patient, started, pcm, lambda: remembered(attached))
        await until(lambda: sockets(patient) == 0)
        old.transport.abort()
        return events, before

    with running(slow_reader_s=1.5) as patient:
        events, before = asyncio.run(conversation(patient))
    assert finals(events) == said
    assert sum(event["type"] == "error" for event in events) <= before
    assert events[-1]["audio_ms"] == len(pcm) // 32


def test_a_connection_without_a_request_is_closed(server: Running, monkeypatch):
    monkeypatch.setattr(connection, "_REQUEST_S", 0.2)

    async def conversation() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /v1/stream HTTP/1.1\r\nHost: a\r\n")
        try:
            return await asyncio.wait_for(reader.read(), 20)
        except ConnectionError:
            return b""
        finally:
            writer.close()

    assert asyncio.run(conversation()) == b""


def test_half_a_request_after_a_whole_one_is_closed_too(server: Running, monkeypatch):
    monkeypatch.setattr(connection, "_REQUEST_S", 0.3)

    async def conversation() -> tuple[bytes, bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        first = await asyncio.wait_for(reader.readuntil(b"}"), 20)
        writer.write(b"GET /health/live HTTP/1.1\r\n")  # the keep-alive timer is off from here on
        rest = b""
        try:
            rest = await asyncio.wait_for(reader.read(), 4)
        except ConnectionError:
            pass
        finally:
            writer.close()
        return first, rest

    first, rest = asyncio.run(conversation())
    assert first.startswith(b"HTTP/1.1 200")
    assert rest == b""


def test_the_rest_of_a_body_that_was_refused_is_not_awaited_without_end(server: Running, monkeypatch):
    monkeypatch.setattr(connection, "_REST_S", 0.3)

    async def conversation() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST /v1/none HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx")
        answer = await asyncio.wait_for(reader.readuntil(b"}}"), 20)
        writer.write(b"x")  # which ends the keep-alive timer
        try:
            await asyncio.wait_for(reader.read(), 4)
        except ConnectionError:
            pass
        finally:
            writer.close()
        return answer

    assert asyncio.run(conversation()).startswith(b"HTTP/1.1 404")


def test_connections_have_a_limit_whatever_they_are(pcm):
    async def conversation(here: Running) -> None:
        silent = [await asyncio.open_connection("127.0.0.1", here.port) for _ in range(2)]
        async with connect(f"{here.ws}/v1/stream"):
            reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
            await until(lambda: sockets(here) >= 3)
            writer.write(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = await asyncio.wait_for(reader.read(), 20)
            assert answer.startswith(b"HTTP/1.1 503")
            assert b"Retry-After" in answer
            writer.close()
            _, idle = await asyncio.open_connection("127.0.0.1", here.port)  # says nothing
            await until(lambda: sockets(here) == 3)
            idle.close()
        for _, one in silent:
            one.close()
        await until(lambda: sockets(here) == 0)
        assert (await asyncio.to_thread(httpx.get, f"{here.http}/health/live")).status_code == 200

    with running(max_connections=3) as here:
        asyncio.run(conversation(here))
