"""Our own protocol: options stand in a message or in the address, and audio alone is enough."""

import asyncio
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection

from serve.client import StreamClient
from serve.protocols import wire
from serve.protocols.native import Native, from_query
from serve.sessions.options import Refused
from tests.serve.conftest import Running
from tests.serve.talking import joined, on_socket, pieces, talk


def test_audio_alone_is_enough(server: Running, pcm, said):
    async def conversation(socket: ClientConnection) -> list[dict[str, Any]]:
        return await talk(socket, *pieces(pcm, 32_000), b"")

    events, code = on_socket(f"{server.ws}/v1/stream?languages=eng,fra&interim=off", conversation)
    assert code == 1000
    assert events[0]["languages"] == ["eng", "fra"]
    assert all(e["is_final"] for e in events if e["type"] == "transcript")
    assert joined(events)


def test_finalize_and_update_are_answered_in_order(server: Running, pcm):
    async def conversation() -> list[dict[str, Any]]:
        async with StreamClient(f"{server.ws}/v1/stream") as client, asyncio.TaskGroup() as group:

            async def send() -> None:
                await client.send(pcm[:60_000])
                await client.say({"type": "finalize", "id": "one"})
                await client.say({"type": "update", "languages": ["fra"]})
                await client.send(pcm[60_000:120_000])
                await client.stop()

            group.create_task(send())
            return [event async for event in client]

    kinds = [e["type"] for e in asyncio.run(conversation()) if e["type"] in ("finalized", "updated", "end")]
    assert kinds == ["finalized", "updated", "end"]


def test_a_wrong_address_is_said(server: Running):
    events, closed = on_socket(f"{server.ws}/v1/stream?sample_rate=many", lambda socket: talk(socket, b"\0\0"))
    assert closed == 4422
    assert "sample_rate" in events[-1]["message"]


def test_the_address_has_the_keys_of_start():
    query = {"languages": "eng,spa", "sample_rate": "8000", "interim": "off", "token": "x", "session": "y"}
    found = from_query(query)
    assert found == wire.StartMessage(languages=["eng", "spa"], interim="off", audio=wire.AudioParams(sample_rate=8000))
    for wrong in ({"volume": "3"}, {"sample_rate": "many"}):
        with pytest.raises(Refused, match="query: ") as refused:
            from_query(wrong)
        assert refused.value.close == wire.CloseCode.bad_config


def test_only_the_first_audio_begins_a_session():
    native = Native({"languages": "eng"}, 1000)
    assert native.incoming(b"ab") == [wire.StartMessage(languages=["eng"]), b"ab"]
    assert native.incoming(b"cd") == [b"cd"]
    started = Native({}, 1000)
    assert started.incoming('{"type":"keepalive"}') == [wire.KeepAlive()]
    assert started.incoming(b"ab") == [b"ab"]


@pytest.mark.parametrize(("text", "close"), [("{", wire.CloseCode.bad_message), (" " * 11, wire.CloseCode.too_big)])
def test_what_is_no_message_closes_the_connection(text, close):
    with pytest.raises(Refused) as refused:
        Native({}, 10).incoming(text)
    assert refused.value.close == close
