"""Clients that break, lie, hurry or push in: each hears why, and the session beside it says what the file says."""

import asyncio
import json
import os
import struct
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from tests.serve.conftest import Running, beside, finals, listen, running, status, until

START = '{"type":"start"}'
UPGRADE = (
    b"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def frame(first: int, payload: bytes, *, masked: bool = True, length: int | None = None) -> bytes:
    """A frame of a client, byte by byte; `length` may lie."""
    size = len(payload) if length is None else length
    bit = 0x80 if masked else 0
    if size < 126:
        head = bytes([first, bit | size])
    elif size < 65536:
        head = bytes([first, bit | 126]) + struct.pack(">H", size)
    else:
        head = bytes([first, bit | 127]) + struct.pack(">Q", size)
    return head + (b"\0\0\0\0" if masked else b"") + payload


def frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Opcode and payload of the frames of a server."""
    place = 0
    while place + 2 <= len(data):
        opcode, size = data[place] & 15, data[place + 1]
        place += 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size = int.from_bytes(data[place : place + width], "big")
            place += width
        yield opcode, data[place : place + size]
        place += size


async def raw(port: int, *data: bytes) -> bytes:
    """What comes back to the end of the connection, after a handshake if that comes first; no bytes: nothing more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = b""
    try:
        for part in data:
            writer.write(part)
            await writer.drain()
            if part is UPGRADE:
                head = await reader.readuntil(b"\r\n\r\n")
            if not part:
                writer.write_eof()
        return head + await asyncio.wait_for(reader.read(), 20)
    except OSError:  # closed already
        return head
    finally:
        writer.close()


def resume(started: dict[str, Any], last_seq: int = 1) -> str:
    session, token = started["session"], started["resume_token"]
    return json.dumps({"type": "resume", "session": session, "token": token, "last_seq": last_seq})


# Clients that go


def test_a_client_that_is_killed_can_come_back_to_its_session(server: Running, pcm, said):
    async def conversation() -> None:
        async with beside(server.ws, pcm, said):
            async with connect(f"{server.ws}/v1/stream") as socket:
                await socket.send(START)
                started = json.loads(await socket.recv())
                await socket.send(pcm[:64_000])
                socket.transport.abort()
            attached = server.registry._sessions[started["session"]]
            await until(lambda: attached.parked_at is not None)
            async with connect(f"{server.ws}/v1/stream") as socket:
                await socket.send(resume(started))
                resumed = json.loads(await socket.recv())
                await socket.send(pcm[resumed["received_bytes"] :])
                await socket.send('{"type":"stop"}')
                events = await listen(socket)
            assert finals(events) == said
            assert [e["seq"] for e in events] == list(range(2, len(events) + 2))

    asyncio.run(conversation())


def test_an_end_that_was_lost_on_the_way_is_said_again(server: Running, pcm):
    async def conversation() -> None:
        async with connect(f"{server.ws}/v1/stream") as socket:
            await socket.send(START)
            started = json.loads(await socket.recv())
            socket.transport.pause_reading()
            await socket.send(pcm[:32_000])
            await socket.send('{"type":"stop"}')
            attached = server.registry._sessions[started["session"]]
            await until(lambda: attached.session.ended and not len(attached.session.outbox))
            socket.transport.abort()
        await until(lambda: attached.parked_at is not None)
        async with connect(f"{server.ws}/v1/stream") as socket:
            await socket.send(resume(started))
            events = await listen(socket)
        assert events[-1]["type"] == "end"
        assert socket.close_code == 1000

    asyncio.run(conversation())


def test_a_client_may_come_back_where_no_other_may_come(pcm, said):
    async def conversation(full: Running) -> None:
        async with connect(f"{full.ws}/v1/stream") as first:
            await first.send(START)
            started = json.loads(await first.recv())
            async with connect(f"{full.ws}/v1/stream?session={started['session']}") as second:  # the first is open
                await second.send(resume(started))
                assert json.loads(await second.recv())["type"] == "resumed"
                with pytest.raises(InvalidStatus):
                    await connect(f"{full.ws}/v1/stream?session=none")
                await second.send(pcm)
                await second.send(b"")
                assert finals(await listen(second)) == said

    with running(max_sessions=1) as full:
        asyncio.run(conversation(full))


# Clients that send what they should not


def test_garbage_before_the_upgrade_is_refused(server: Running, pcm, said):
    garbage = [
        os.urandom(4096),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(300),  # TLS
        b"GET /v1/stream HTTP/1.1\r\nX: " + b"a" * 200_000,
        b"POST /v1/stream HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        UPGRADE.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"short"),
        UPGRADE.replace(b"Version: 13", b"Version: 12"),
        UPGRADE.replace(b"/v1/stream", b"/v1/none"),
    ]

    async def conversation() -> list[bytes]:
        async with beside(server.ws, pcm, said):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(UPGRADE[:60])  # and nothing more
            answers = await asyncio.gather(*(raw(server.port, data, b"") for data in garbage))
            writer.transport.abort()
        return answers

    for answer in asyncio.run(conversation()):
        assert not answer or answer.startswith(b"HTTP/1.1 4"), answer[:80]


@pytest.mark.filterwarnings("ignore")
def test_garbage_frames_close_their_connection_only(server: Running, pcm, said):
    text, binary = 0x81, 0x82
    cases = {
        frame(text, b"{}", masked=False): {1002},
        frame(0x83, b"?"): {1002},  # an opcode that there is not
        frame(0xF1, b"{}"): {1002},  # reserved bits
        frame(text, b"\xff\xfe\xfd"): {1007},
        frame(0x89, b"a" * 126): {1002},  # a ping that is too long
        frame(0x80, b"a"): {1002},  # the rest of nothing
        frame(0x88, b"\0\1"): {1002},  # a code to close with that may not be sent
        frame(binary, b"", length=10_000_000): {1009},
        frame(binary, b"", length=2**62): {1009},
        frame(0x02, b"\0\0") + frame(0x00, b"\0"): set(),  # fragments, then silence
    }

    async def close_code(data: bytes, opening: bytes) -> int | None:
        answer = await raw(server.port, UPGRADE, opening + data, frame(0x88, b"\x03\xe8"))
        head, _, rest = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101")
        closes = [payload for opcode, payload in frames(rest) if opcode == 8]
        return int.from_bytes(closes[0][:2], "big") if closes else None

    async def conversation() -> None:
        async with beside(server.ws, pcm, said):
            heard = []
            for opening in (b"", frame(text, START.encode())):
                found = await asyncio.gather(*(close_code(data, opening) for data in cases))
                for code, (data, expected) in zip(found, cases.items(), strict=True):
                    heard += [code] if expected else []
                    assert not expected or code in expected | {None}, (code, data[:20])
            assert heard.count(None) < len(heard) / 2  # None: our own close came before the server's answer
            noise = [os.urandom(size) for size in (1, 10, 100, 1000, 100_000)]
            await asyncio.gather(*(raw(server.port, UPGRADE, part, b"") for part in noise))

    asyncio.run(conversation())


WRONG: list[tuple[list[str | bytes], int, str]] = [
    (["3"], 4400, "bad_message"),
    (["[]"], 4400, "bad_message"),
    ([START, '{"type":"finalize","id":' + '"x' * 50], 4400, "bad_message"),
    ([START, '{"type":"update","languages":[1]}'], 4400, "bad_message"),
    ([START, "\0" * 100], 4400, "bad_message"),
    (['{"type":"resume","session":"ä","token":"ö"}'], 4404, "unknown_session"),
    (['{"type":"start","audio":{"channels":2}}', b"\0\0" * 3], 4415, "audio_bad"),
    (['{"type":"start","audio":{"encoding":"pcm_f32le"}}', struct.pack("<f", float("-inf"))], 4415, "audio_bad"),
    (['{"type":"start","audio":{"encoding":"pcm_f32le"}}', struct.pack("<f", 1e30)], 4415, "audio_bad"),
    (['{"type":"start","audio":{"encoding":"opus"}}', b"\xff" * 999], 4415, "audio_bad"),
    (['{"type":"start","audio":{"encoding":"webm_opus"}}', b"\0" * 99], 4415, "audio_bad"),
    (['{"type":"start","audio":{"encoding":"ogg_opus"}}', b"RIFF"], 4415, "audio_bad"),
    (['{"type":"start","audio":{"encoding":"auto"}}', b"RIFF____JUNK"], 4415, "audio_bad"),
]


def test_wrong_messages_close_their_connection_and_say_why(server: Running, pcm, said):
    async def speak(messages: list[str | bytes]) -> tuple[int | None, dict[str, Any]]:
        async with connect(f"{server.ws}/v1/stream") as socket:
            for message in messages:
                await socket.send(message)
            events = await listen(socket)
            return socket.close_code, events[-1]

    async def conversation() -> list[tuple[int | None, dict[str, Any]]]:
        async with beside(server.ws, pcm, said):
            return await asyncio.gather(*(speak(messages) for messages, _, _ in WRONG))

    found = asyncio.run(conversation())
    assert [(code, event["code"]) for code, event in found] == [(code, error) for _, code, error in WRONG]
    assert all(event["fatal"] and not event["retryable"] for _, event in found)


def test_a_token_of_another_resume_is_refused_whatever_it_is_written_in(server: Running):
    async def conversation() -> tuple[int | None, dict[str, Any]]:
        async with connect(f"{server.ws}/v1/stream") as first, connect(f"{server.ws}/v1/stream") as second:
            await first.send(START)
            started = json.loads(await first.recv())
            await second.send(resume(started | {"resume_token": "ключ"}))
            events = await listen(second)
            return second.close_code, events[-1]

    code, event = asyncio.run(conversation())
    assert (code, event["code"]) == (4404, "unknown_session")


# Clients that may not come in


def test_expired_secrets_and_foreign_origins_are_refused(pcm, said):
    async def page(url: str, origin: str) -> tuple[str, int | None]:
        async with connect(url, origin=origin) as socket:
            events = await listen(socket)
            return events[-1]["code"], socket.close_code

    async def conversation(locked: Running) -> None:
        auth = locked.server.config.app.state.parts.auth
        url = f"{locked.ws}/v1/stream"
        fresh, _ = auth.client_secret(60)
        past = f"{int(time.time()) - 1}.x"
        expired = f"ek_{past}.{auth._sign(past)}"
        own = locked.http
        async with beside(locked.ws, pcm, said, api_key="key"):
            assert await status(f"{url}?token={fresh}") == 101
            for token in (expired, "ek_", "ek_1.x", "ek_1.%C3%A4", fresh[:-1] + "%C3%A4", "%00"):
                assert await status(f"{url}?token={token}") == 401
                assert await page(f"{url}?token={token}", own) == ("unauthorized", 4401)
            for origin in ("https://evil.example", "null", "http://[", "", "http://127.0.0.1:1"):
                assert await page(f"{url}?token={fresh}", origin) == ("origin", 4403)

    with running(api_keys=["key"]) as locked:
        asyncio.run(conversation(locked))


def test_a_hundred_too_many_are_refused_and_no_place_is_lost(pcm, said):
    async def program(url: str) -> None:
        with pytest.raises(InvalidStatus) as caught:
            await connect(url)
        assert caught.value.response.status_code == 503
        assert 0 < int(caught.value.response.headers["Retry-After"]) <= 60

    async def page(url: str, origin: str) -> None:
        async with connect(url, origin=origin) as socket:
            error = (await listen(socket))[-1]
        assert (error["code"], error["fatal"], error["retryable"]) == ("overloaded", True, True)
        assert 0 < error["retry_after_ms"] <= 60_000
        assert socket.close_code == 1013

    async def late(socket: ClientConnection) -> None:  # came in while there was a place, says so when there is none
        await socket.send(START)
        assert (await listen(socket))[-1]["code"] == "overloaded"
        assert socket.close_code == 1013

    async def conversation(full: Running) -> None:
        url = f"{full.ws}/v1/stream"
        early = [await connect(url) for _ in range(10)]
        async with beside(full.ws, pcm, said), connect(url) as second:
            await second.send(START)
            await second.recv()
            crowd = [late(socket) for socket in early]
            crowd += [program(url) for _ in range(50)] + [page(url, full.http) for _ in range(40)]
            await asyncio.gather(*crowd)
            assert sum(item.parked_at is None for item in full.registry._sessions.values()) == 2
            await second.send(b"")
            assert (await listen(second))[-1]["type"] == "end"
        await until(lambda: full.registry.admit() is None)
        for _ in range(3):  # both places, again and again
            async with connect(url) as first, connect(url) as second:
                for socket in (first, second):
                    await socket.send(START)
                    await socket.recv()
                with pytest.raises(InvalidStatus):
                    await connect(url)
            await until(lambda: full.registry.admit() is None)
        await until(lambda: not len(full.registry))
        assert "speech_sessions 0.0" in httpx.get(f"{full.http}/metrics").text

    with running(max_sessions=2, resume_s=0.1) as full:
        asyncio.run(conversation(full))


def test_a_client_that_sends_as_fast_as_it_can_is_paused_and_loses_nothing(pcm, said):
    worst = 0.0

    async def watch(registry: Any) -> None:
        nonlocal worst
        while True:
            worst = max([worst, *(item.session.flow.lead_s for item in registry._sessions.values())])
            await asyncio.sleep(0.002)

    async def conversation(fast: Running) -> list[dict[str, Any]]:
        watcher = asyncio.create_task(watch(fast.registry))
        async with beside(fast.ws, pcm, said), connect(f"{fast.ws}/v1/stream", max_queue=None) as socket:
            await socket.send(START)
            for start in range(0, len(pcm), 6400):
                await socket.send(pcm[start : start + 6400])
            await socket.send(b"")
            events = await listen(socket)
        watcher.cancel()
        return events

    with running(max_lead_s=1.0) as fast:
        events = asyncio.run(conversation(fast))
    assert finals(events) == said
    flow = [event["state"] for event in events if event["type"] == "flow"]
    assert flow[0] == "pause"
    assert flow[::2] == ["pause"] * len(flow[::2])
    assert max(event["lead_ms"] for event in events if event["type"] == "flow") <= 1200  # and one message
    assert worst > 0
