"""Faults of a connection are said, and it is closed with their code."""

import asyncio
import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.serve.conftest import Running, running
from tests.serve.talking import on_socket, talk


def test_a_second_connection_takes_the_session_over(server: Running, pcm):
    async def conversation() -> int | None:
        async with connect(f"{server.ws}/v1/stream") as first, connect(f"{server.ws}/v1/stream") as second:
            await first.send('{"type":"start"}')
            started = json.loads(await first.recv())
            await second.send(
                json.dumps(
                    {"type": "resume", "session": started["session"], "token": started["resume_token"], "last_seq": 1}
                )
            )
            assert json.loads(await second.recv())["type"] == "resumed"
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(first.recv(), 5)
            return first.close_code

    assert asyncio.run(conversation()) == 4409


@pytest.mark.parametrize(
    ("messages", "code", "error"),
    [
        (["{"], 4400, "bad_message"),
        (['{"type":"stop"}'], 4400, "not_started"),
        (['{"type":"start"}', "no json"], 4400, "bad_message"),
        (['{"type":"start","languages":["klingon"]}'], 4422, "unknown_language"),
        (['{"type":"start","model":"none"}'], 4422, "unknown_model"),
        (['{"type":"resume","session":"x","token":"y"}'], 4404, "unknown_session"),
        (['{"type":"start"}', b"\0"], 4415, "audio_bad"),
        (['{"type":"start","audio":{"encoding":"pcm_f32le"}}', b"\0\0\xc0\x7f"], 4415, "audio_bad"),
        ([" " * 300_000], 1009, "too_big"),
    ],
)
def test_faults_are_said_and_closed_with_their_code(server: Running, messages, code, error):
    events, closed = on_socket(f"{server.ws}/v1/stream", lambda socket: talk(socket, *messages))
    assert closed == code
    assert events[-1]["type"] == "error"
    assert events[-1]["code"] == error
    assert events[-1]["fatal"]


def test_a_message_that_is_too_large_closes_the_connection(server: Running):
    _, closed = on_socket(f"{server.ws}/v1/stream", lambda socket: talk(socket, b"\0" * 10_000_000))
    assert closed == 1009


def test_a_client_that_says_nothing_is_sent_away():
    with running(first_message_s=0.2) as impatient:
        events, closed = on_socket(f"{impatient.ws}/v1/stream", lambda socket: talk(socket))
        assert closed == 4408
        assert events[-1]["code"] == "no_start"
