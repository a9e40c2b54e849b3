"""The protocol of vosk-server: a client that waits for one reply to each message, and what it may say."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from serve.protocols import wire
from serve.protocols.vosk import Vosk
from serve.sessions.options import Refused
from speech.text.normalize import plain_text
from tests.serve.conftest import Running

EOF = '{"eof" : 1}'
BLOCK = 6400


def in_step(url: str, messages: Iterable[str | bytes]) -> tuple[list[dict[str, Any]], int | None]:
    """The reply to each message, and the code that the server closes with after the last."""
    with connect(url) as socket:
        replies = []
        for message in messages:
            socket.send(message)
            if isinstance(message, bytes) or "config" not in message:
                replies.append(json.loads(socket.recv(timeout=60)))
        with pytest.raises(ConnectionClosed):  # and nothing else
            socket.recv(timeout=60)
        return replies, socket.close_code


def blocks(pcm: bytes) -> list[bytes]:
    return [pcm[start : start + BLOCK] for start in range(0, len(pcm), BLOCK)]


def joined(replies: list[dict[str, Any]]) -> str:
    return " ".join(reply["text"] for reply in replies if reply.get("text"))


def test_a_client_in_step_hears_one_reply_to_each_message_and_the_text_of_the_file(server: Running, pcm, said):
    messages = [
        '{"config" : {"sample_rate" : 16000, "phrase_list" : ["x"], "max_alternatives" : 0}}',
        *blocks(pcm),
        EOF,
    ]
    replies, code = in_step(f"{server.ws}/vosk", messages)
    assert code == 1000
    assert joined(replies) == plain_text(said)
    assert len(replies) == len(messages) - 1
    assert all(set(reply) <= {"partial", "text", "result"} for reply in replies)
    assert any(reply.get("partial") for reply in replies)
    assert "text" in replies[-1]
    assert any("text" in reply for reply in replies[:-1])  # the first clip is final where it ends, not at the end
    words = [word for reply in replies for word in reply.get("result", [])]
    assert [word["word"] for word in words] == plain_text(said).split()
    assert all(0 <= word["conf"] <= 1 and word["start"] < word["end"] for word in words)
    assert words == sorted(words, key=lambda word: word["start"])


def test_long_messages_have_one_reply_each_with_all_that_was_said(server: Running, pcm, said):
    messages = [pcm[start : start + 65_000] for start in range(0, len(pcm), 65_000)]
    replies, _ = in_step(f"{server.ws}/vosk?sample_rate=16000", [*messages, EOF])
    assert joined(replies) == plain_text(said)
    assert len(replies) == len(messages) + 1


def test_reset_is_answered_with_what_was_said_and_goes_on(server: Running, pcm):
    messages = [
        '{"config":{"sample_rate":"16000","words":0}}',
        *blocks(pcm)[:18],
        '{"reset":1}',
        *blocks(pcm)[18:],
        EOF,
    ]
    replies, code = in_step(f"{server.ws}/vosk?languages=eng,fra", messages)
    assert code == 1000
    assert replies[18]["text"]
    assert joined(replies[19:])
    assert not any("result" in reply for reply in replies)


def test_telephony_without_config_is_8_khz(server: Running, pcm):
    replies, _ = in_step(f"{server.ws}/vosk", [b"", pcm[:32_000], EOF])
    assert [set(reply) for reply in replies[:2]] == [{"partial"}] * 2
    assert Vosk({}, 100).incoming(b"\0\0")[0].audio.sample_rate == 8000


@pytest.mark.parametrize(
    ("message", "code"),
    [("no json", 4400), ('{"config":{"sample_rate":100}}', 4422), (" " * 300_000, 1009)],
)
def test_faults_are_said_and_closed(server: Running, message, code):
    with connect(f"{server.ws}/vosk") as socket:
        socket.send(message)
        assert json.loads(socket.recv(timeout=60))["error"]
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=60)
        assert socket.close_code == code


def test_a_text_that_is_no_message_is_answered_and_the_session_goes_on(server: Running, pcm):
    replies, code = in_step(f"{server.ws}/vosk?sample_rate=16000", [pcm[:BLOCK], "no json", pcm[:BLOCK], EOF])
    assert code == 1000
    assert replies[1]["error"]


def test_commands_are_read_as_json_whatever_their_spaces():
    kinds = [
        [type(message) for message in Vosk({}, 100).incoming(text)]
        for text in ('{"eof":1}', '{ "eof" : 1 }', '{"reset": true}', '{"config": {}}', "{}")
    ]
    start = wire.StartMessage
    assert kinds == [[start, wire.Stop], [start, wire.Stop], [start, wire.Finalize], [start], [start]]


def test_text_that_is_too_long_is_refused():
    with pytest.raises(Refused, match="characters"):
        Vosk({}, 10).incoming(" " * 11)


def test_what_follows_the_end_is_not_answered():
    error = wire.Error(seq=1, code="after_stop", message="", fatal=False, retryable=False)
    assert Vosk({}, 10).outgoing(error) == []
