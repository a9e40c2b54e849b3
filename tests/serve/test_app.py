"""The real server over real sockets: the native protocol, HTTP, faults."""

import asyncio
import json
import random
import time
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from serve.client import ServerError, StreamClient
from speech.audio.input.files import load_audio
from speech.audio.input.pcm import to_pcm16
from speech.decode.bias.phrases import Phrase
from speech.stream.slot import Result
from tests.conftest import RARE
from tests.serve.conftest import Running, running, status
from tests.serve.talking import joined, on_socket, pieces, play, talk


def test_finals_over_the_socket_equal_the_file(server: Running, pcm, said):
    events = asyncio.run(play(server.ws, pieces(pcm, 3200)))
    assert joined(events) == said
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    assert events[0]["type"] == "started"
    assert events[-1]["type"] == "end"
    assert events[-1]["audio_ms"] == len(pcm) // 32
    assert {"transcript", "speech_started", "endpoint", "ack"} <= {e["type"] for e in events}


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(1, 32_000), min_size=1, max_size=8))
def test_sizes_of_messages_do_not_change_the_finals(server: Running, pcm, said, sizes):
    blocks, start, number = [], 0, 0
    while start < len(pcm):
        size = 2 * sizes[number % len(sizes)]
        blocks.append(pcm[start : start + size])
        start, number = start + size, number + 1
        if number > 400:
            blocks += pieces(pcm[start:], 32_000)
            break
    assert joined(asyncio.run(play(server.ws, blocks))) == said


def test_long_audio_without_partials_does_not_stall(server: Running, pcm):
    speech = pcm[6400:38_400] * 12  # no pause, more than may wait
    start = {"interim": "off", "endpointing": {"mode": "client", "max_utterance_ms": 10_000}}
    events = asyncio.run(play(server.ws, pieces(speech, 32_000), **start))
    assert events[-1]["type"] == "end"
    assert events[-1]["audio_ms"] == len(speech) // 32


def test_many_sessions_at_once_say_what_each_says_alone(server: Running, pcm, said):
    async def conversation() -> list[str]:
        rng = random.Random(1)
        plays = [play(server.ws, pieces(pcm, 2 * rng.randint(200, 9000))) for _ in range(6)]
        return [joined(events) for events in await asyncio.gather(*plays)]

    assert asyncio.run(conversation()) == [said] * 6


def test_phrases_hold_for_their_session_alone(server: Running, recognizer):
    samples = load_audio(RARE)
    blocks = pieces(to_pcm16(samples), 8000)
    phrases = ["dimanche", "lundi^1.5"]
    expected = recognizer.transcribe(samples, language="fra", phrases=[Phrase.parse(text) for text in phrases]).text
    plain = recognizer.transcribe(samples, language="fra").text
    assert "dimanche" in expected
    assert "dimanche" not in plain

    async def both() -> list[list[dict[str, Any]]]:
        options = {"languages": ["fra"]}
        return await asyncio.gather(
            play(server.ws, blocks, **options, phrases=phrases), play(server.ws, blocks, **options),
            play(server.ws, blocks, **options, phrases=["dimanche"]),
        )  # fmt: skip

    said = [joined(events) for events in asyncio.run(both())]
    assert said == [expected, plain, expected]
    with pytest.raises(ServerError, match="'ᚠᚢᚦ': has characters that the model does not write"):
        asyncio.run(play(server.ws, blocks, phrases=["ᚠᚢᚦ"]))


def test_keys_origins_and_fullness_are_checked_before_a_session(pcm):
    async def page(url: str) -> tuple[str, int | None]:
        async with connect(url, origin="https://evil.example") as socket:
            event = json.loads(await socket.recv())
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            return event["code"], socket.close_code

    with running(api_keys=["key"], max_sessions=1) as locked:
        url = f"{locked.ws}/v1/stream"
        key = {"additional_headers": {"Authorization": "Bearer key"}}
        assert asyncio.run(status(url)) == 401
        assert asyncio.run(status(url, **key)) == 101
        assert asyncio.run(status(url, subprotocols=["speech.v1", "bearer.key"])) == 101
        assert asyncio.run(page(url)) == ("origin", 4403)
        secret = httpx.post(f"{locked.http}/v1/realtime/client_secrets", headers={"X-API-Key": "key"}).json()["value"]
        assert asyncio.run(status(f"{url}?token={secret}")) == 101
        assert httpx.get(f"{locked.http}/v1/models").status_code == 401

        async def full() -> int:
            async with connect(url, **key) as socket:
                await socket.send('{"type":"start"}')
                await socket.recv()
                assert httpx.get(f"{locked.http}/health/ready").status_code == 503
                return await status(url, **key)

        assert asyncio.run(full()) == 503


def test_a_token_opens_websockets_and_nothing_over_http():
    with running(api_keys=["key"], allow_adapters=True) as locked:
        url, secrets = f"{locked.ws}/v1/stream", f"{locked.http}/v1/realtime/client_secrets"
        token = httpx.post(secrets, headers={"X-API-Key": "key"}).json()["value"]
        assert asyncio.run(status(f"{url}?token={token}")) == 101
        assert asyncio.run(status(url, additional_headers={"Authorization": f"Bearer {token}"})) == 101
        for method, path in (
            ("POST", "/v1/realtime/client_secrets"), ("POST", "/v1/audio/transcriptions"), ("GET", "/v1/models"),
            ("POST", "/v1/audio/translations"), ("GET", "/v1/adapters"), ("DELETE", "/v1/adapters/fra"),
        ):  # fmt: skip
            for way in ({"headers": {"Authorization": f"Bearer {token}"}}, {"params": {"token": token}}):
                answer = httpx.request(method, f"{locked.http}{path}", **way)
                assert answer.status_code in (401, 403), path
                assert answer.json()["error"]["type"] == "invalid_request_error"
        assert httpx.post(secrets).status_code == 401


def test_a_token_that_expires_begins_no_session_and_ends_none(pcm, said, monkeypatch):
    now = time.time
    with running(api_keys=["key"]) as locked:
        url = f"{locked.ws}/v1/stream"
        secrets = f"{locked.http}/v1/realtime/client_secrets"
        token = httpx.post(secrets, headers={"X-API-Key": "key"}).json()["value"]

        async def conversation() -> tuple[list[dict[str, Any]], list[dict[str, Any]], str]:
            async with connect(f"{url}?token={token}") as late, connect(f"{url}?token={token}") as first:
                await first.send('{"type":"start"}')
                started = json.loads(await first.recv())
                await first.send(pcm[:64_000])
                monkeypatch.setattr(time, "time", lambda: now() + 700)
                too_late = await talk(late, '{"type":"start"}')
                assert late.close_code == 4401
                first.transport.abort()
            assert await status(f"{url}?token={token}") == 401
            assert await status(f"{url}?token={token}&session=none") == 401
            back = f"{url}?token={token}&session={started['session']}"
            async with connect(back) as other:  # an old token and the name of a session begin no other session
                again = await talk(other, '{"type":"start"}')
            resume = {"type": "resume", "session": started["session"], "token": started["resume_token"], "last_seq": 1}
            async with connect(back, max_queue=None) as second:
                await second.send(json.dumps(resume))
                received = json.loads(await second.recv())["received_bytes"]
                events = await talk(second, pcm[received:], b"")
            return too_late, again, joined(events)

        too_late, again, text = asyncio.run(conversation())
    assert [event["code"] for event in too_late] == [event["code"] for event in again] == ["unauthorized"]
    assert text == said


def test_a_page_whose_name_was_resolved_to_this_machine_is_refused(server: Running):
    async def page(name: str) -> tuple[str, str]:
        options = {"origin": f"http://{name}", "host": "127.0.0.1", "port": server.port}
        async with connect(f"ws://{name}/v1/stream", **options) as socket:
            event = json.loads(await socket.recv())
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert socket.close_code == 4403
            return event["code"], event["message"]

    code, message = asyncio.run(page(f"evil.example:{server.port}"))
    assert code == "host"
    assert "allowed_hosts" in message
    evil = {"Host": f"evil.example:{server.port}", "Origin": f"http://evil.example:{server.port}"}
    for method, path in (("POST", "/v1/realtime/client_secrets"), ("GET", "/v1/models"), ("GET", "/v1/adapters")):
        answer = httpx.request(method, f"{server.http}{path}", headers=evil)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "host")
    forwarded = {"X-Forwarded-Host": "localhost", "X-Forwarded-For": "127.0.0.1", "Forwarded": "host=localhost"}
    assert httpx.get(f"{server.http}/v1/models", headers=evil | forwarded).status_code == 403
    own = {"Origin": f"http://localhost:{server.port}", "Host": f"localhost:{server.port}"}
    assert httpx.get(f"{server.http}/v1/models", headers=own).status_code == 200


def test_sessions_without_a_client_are_forgotten(pcm):
    with running(resume_s=0.3) as forgetful:

        async def leave() -> dict[str, Any]:
            async with connect(f"{forgetful.ws}/v1/stream") as socket:
                await socket.send('{"type":"start"}')
                started = json.loads(await socket.recv())
                await socket.send(pcm[:6400])
                socket.transport.abort()
            await asyncio.sleep(1.2)
            return started

        started = asyncio.run(leave())
        assert len(forgetful.registry) == 0
        resume = json.dumps({"type": "resume", "session": started["session"], "token": started["resume_token"]})
        events, closed = on_socket(f"{forgetful.ws}/v1/stream", lambda socket: talk(socket, resume))
        assert closed == 4404
        assert events[-1]["code"] == "unknown_session"


def test_draining_says_goodbye_and_lets_sessions_end(pcm):
    with running(drain_s=5.0) as going:

        async def conversation() -> list[dict[str, Any]]:
            async with StreamClient(f"{going.ws}/v1/stream") as client, asyncio.TaskGroup() as group:

                async def send() -> None:
                    await client.send(pcm[:32_000])
                    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(begin_drain(), going.server._loop))
                    await client.send(pcm[32_000:64_000])
                    await client.stop()

                group.create_task(send())
                return [event async for event in client]

        async def begin_drain() -> None:
            going.server.handle_exit(15, None)

        kinds = [event["type"] for event in asyncio.run(conversation())]
        assert "goaway" in kinds
        assert kinds[-1] == "end"


def test_sessions_are_refused_where_measured_speed_would_not_do():
    with running(max_load=0.95) as slow:
        registry = slow.registry
        assert httpx.get(f"{slow.http}/health/ready").status_code == 200
        registry.load.measure(60.0, Result([], [], 60.0, 66.0, 6.0))
        assert 1.0 < registry.load.real_time_factor <= 1.2
        assert httpx.get(f"{slow.http}/health/ready").status_code == 503
        for _ in range(20):
            registry.load.measure(60.0, Result([], [], 60.0, 6.0, 6.0))
        assert httpx.get(f"{slow.http}/health/ready").status_code == 200


def test_the_server_tells_how_it_is(server: Running, pcm):
    asyncio.run(play(server.ws, pieces(pcm[:96_000], 3200)))
    assert httpx.get(f"{server.http}/health/live").json() == {"status": "ok"}
    assert httpx.get(f"{server.http}/health/ready").status_code == 200
    assert httpx.get(f"{server.http}/version").json()["protocol"] == "speech.v1"
    metrics = httpx.get(f"{server.http}/metrics").text
    for name in ("first_partial", "final", "endpoint", "lag", "loop_lag"):
        assert f"speech_{name}_seconds_bucket" in metrics


@pytest.mark.parametrize(
    "target",
    ["/v1/%00", "/v1/audio/..%2f..%2fmodels", "//v1/models", "/v1//models", "/web/..%2f..%2fapp.py", "/web/%00", "/%ff",
     "/web/" + "a" * 5000, "/v1/models?" + "a=b&" * 5000, "/v1/models?token=%ff%00", "/v1/adapters/%2e%2e", "*",
     "/v1/models/" + "%F0%9F%98%80", "http://other.example/v1/models", "/v1/adapters/" + "a" * 5000],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "HEAD", "BREW"])
def test_odd_addresses_and_methods_are_answered_in_form(server: Running, method, target):
    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = await asyncio.wait_for(reader.read(), 20)
        writer.close()
        return answer

    head, _, body = asyncio.run(ask()).partition(b"\r\n\r\n")
    code = int(head.split()[1])
    assert code < 500
    if target.startswith("/v1/") and code >= 400 and method != "HEAD":
        assert set(json.loads(body)["error"]) == {"message", "type", "param", "code"}
