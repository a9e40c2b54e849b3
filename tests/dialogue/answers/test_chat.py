"""An answerer behind a chat endpoint, against a real HTTP server."""

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speech.dialogue.answers.answerer import AnswerPart, ChatMessage, TextPiece, ToolCall
from speech.dialogue.answers.chat import AnswerOptions, ChatAnswerer
from speech.errors import AnswerError, ConfigError
from tests.chat_server import DONE, ChatServer, chatting, delta, event
from tests.dialogue.cuts import cut

KEY = "sk-very-secret"
SOON_S = 0.1
"""Within this a cancelled answer ends."""
ASKED = [ChatMessage("user", "Good day?")]
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
STOP = delta(finish="stop")


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chatting() as found:
        yield found


def answerer(server: ChatServer, **options) -> ChatAnswerer:
    return ChatAnswerer(server.url, "tiny", KEY, AnswerOptions(**{"timeout_s": 5.0, **options}))


def answered(server: ChatServer, **options) -> list[AnswerPart]:
    with closing(answerer(server, **options).answer(ASKED)) as answer:
        return list(answer)


def refused(server: ChatServer, **options) -> AnswerError:
    with pytest.raises(AnswerError) as caught:
        answered(server, **options)
    return caught.value


def test_pieces_come_as_they_are_written(server):
    server.stream = lambda _: [delta("Good "), 0.4, delta("day."), 0.4, STOP]
    answer = answerer(server).answer(ASKED)
    begun_s = time.monotonic()
    assert next(answer) == TextPiece("Good ")
    first_s = time.monotonic() - begun_s
    assert list(answer) == [TextPiece("day.")]
    assert first_s < 0.4 < 0.8 < time.monotonic() - begun_s


def test_messages_tools_and_options_are_sent(server):
    server.stream = lambda _: [delta("a"), STOP, DONE]
    messages = [
        *ASKED,
        ChatMessage("assistant", "", tool_calls=(ToolCall("x", "look", "{}"), ToolCall("y", "look", "[1]"))),
        ChatMessage("tool", "a result", tool_call_id="x"),
        ChatMessage("assistant", "Hm.", tool_calls=(ToolCall("z", "look", "{}"),)),
    ]
    answer = answerer(server, instructions="Be short.", temperature=0.5, max_tokens=9).answer(messages, [TOOL])
    assert list(answer) == [TextPiece("a")]
    call = {"id": "x", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    other = {**call, "id": "y", "function": {"name": "look", "arguments": "[1]"}}
    assert server.asked == [
        {
            "model": "tiny",
            "stream": True,
            "temperature": 0.5,
            "max_tokens": 9,
            "tools": [TOOL],
            "messages": [
                {"role": "system", "content": "Be short."},
                {"role": "user", "content": "Good day?"},
                {"role": "assistant", "content": None, "tool_calls": [call, other]},
                {"role": "tool", "content": "a result", "tool_call_id": "x"},
                {"role": "assistant", "content": "Hm.", "tool_calls": [{**call, "id": "z"}]},
            ],
        }
    ]
    assert server.paths == ["/v1/chat/completions"]
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"


def test_what_is_not_given_is_not_sent(server):
    server.stream = lambda _: [delta("a"), STOP]
    answer = ChatAnswerer(server.url).answer(ASKED)
    assert server.asked == []
    assert list(answer) == [TextPiece("a")]
    assert server.asked == [{"stream": True, "messages": [{"role": "user", "content": "Good day?"}]}]
    assert "Authorization" not in server.headers[0]


def test_tool_calls_come_whole(server):
    begin = {"index": 0, "id": "x", "function": {"name": "look", "arguments": '{"at": '}}
    rest = {"index": 0, "function": {"arguments": '"é"}'}}
    server.stream = lambda _: [
        delta("Wait."), delta(tool_calls=[begin]), 0.05, delta(tool_calls=[rest]), delta(finish="tool_calls"), DONE
    ]  # fmt: skip
    assert answered(server) == [TextPiece("Wait."), ToolCall("x", "look", '{"at": "é"}')]


def test_an_answer_that_is_not_streamed_is_one_piece(server):
    server.answer = lambda _: (200, json.dumps({"choices": [{"message": {"content": "Good day."}}]}).encode())
    assert answered(server) == [TextPiece("Good day.")]


@pytest.fixture(scope="module")
def shared() -> Iterator[ChatServer]:
    with chatting() as found:
        yield found


STREAM = b": wait\n\ndata: " + '{"choices": [{"delta": {"content": "Grüß 你好 😀"}}]}'.encode() + b"\r\n\r\n"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(places=st.lists(st.integers(0, 500), max_size=20))
def test_how_the_network_cuts_a_stream_does_not_matter(shared, places):
    blocks = cut(STREAM + delta(" b") + STOP + DONE, places)
    shared.stream = lambda _: [step for block in blocks for step in (block, 0.001)]
    assert answered(shared) == [TextPiece("Grüß 你好 😀"), TextPiece(" b")]


def cancelled(server: ChatServer, stream: list[bytes | float], parts: int) -> tuple[float, float]:
    """Seconds until server and reader know that an answer was closed, while it waits for the part behind `parts`."""
    server.stream = lambda _: stream
    answer = answerer(server, timeout_s=60.0).answer(ASKED)
    ended, waits = [], threading.Event()

    def read() -> None:
        for _ in range(parts):
            next(answer)
        waits.set()
        ended.append((list(answer), time.monotonic()))

    reader = threading.Thread(target=read)
    reader.start()
    assert waits.wait(10)
    time.sleep(0.1)
    begun_s = time.monotonic()
    answer.close()
    reader.join(timeout=10)
    gone_s = server.gone.get(timeout=10)
    assert ended[0][0] == []
    assert list(answer) == []
    answer.close()
    return gone_s - begun_s, ended[0][1] - begun_s


@pytest.mark.parametrize(
    ("stream", "parts"),
    [([60.0], 0), ([delta("Good "), 60.0], 1), ([delta("Good "), delta("day")[:20], 60.0], 1)],
    ids=["before a part", "behind a part", "within a line"],
)
def test_a_closed_answer_ends_at_once_here_and_at_the_endpoint(server, stream, parts):
    tries = (max(cancelled(server, stream, parts)) for _ in range(5))
    assert any(seconds < SOON_S for seconds in tries)  # a busy machine may be late once


def test_parts_that_were_read_ahead_end_with_the_answer(server):
    server.stream = lambda _: [delta("a") + delta("b") + delta("c"), 60.0]
    answer = answerer(server).answer(ASKED)
    assert next(answer) == TextPiece("a")
    answer.close()
    assert list(answer) == []
    assert server.gone.get(timeout=10)


def test_a_connection_is_closed_with_the_answer_and_after_an_error(server):
    server.stream = lambda _: [delta("a"), STOP, 60.0]
    answer = answerer(server).answer(ASKED)
    assert list(answer) == [TextPiece("a")]
    assert server.gone.get(timeout=10)
    server.stream = lambda _: [event({"error": "busy"}), 60.0]
    answer = answerer(server).answer(ASKED)
    with pytest.raises(AnswerError, match="fails: busy"):
        next(answer)
    assert list(answer) == []
    assert server.gone.get(timeout=10)


def test_silence_is_an_error_behind_the_parts_that_came(server):
    server.stream = lambda _: [delta("a"), 60.0]
    answer = answerer(server, timeout_s=0.3).answer(ASKED)
    assert next(answer) == TextPiece("a")
    with pytest.raises(AnswerError, match=r"sends nothing for 0\.3 s"):
        next(answer)


def test_an_endpoint_that_does_not_begin_is_an_error(server):
    server.delay_s = 1.0
    assert refused(server, timeout_s=0.2).what == "does not answer within 0.2 s"


def test_slow_pieces_are_none(server):
    server.stream = lambda _: [step for letter in "slowly" for step in (delta(letter), 0.2)] + [STOP]
    assert answered(server, timeout_s=0.8, part_s=0.8) == [TextPiece(letter) for letter in "slowly"]


def test_bytes_without_a_part_are_an_error_in_time(server):
    server.stream = lambda _: [step for _ in range(100) for step in (b": wait\n\n", 0.05)]
    assert refused(server, part_s=0.3).what == "sends no part of an answer for 0.3 s"
    server.stream = lambda _: [step for _ in range(10) for step in (b": wait\n\n", 0.02)] + [delta("a"), STOP]
    assert answered(server) == [TextPiece("a")]


def test_an_endless_line_is_an_error(server):
    server.stream = lambda _: (b"x" * 65_536 for _ in range(10_000))
    assert refused(server).what == "sends a line of more than 262144 bytes"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, b"<html>"), "does not answer as a chat endpoint does"),
        ((200, b"\xff" * 1000), "does not answer as a chat endpoint does"),
        ((200, b""), "does not answer as a chat endpoint does"),
        ((200, b'{"error": {"message": "sk-very-secret"}}'), "fails: ..."),
        ((200, event({"error": f"{'a' * 300} {KEY}"})), f"fails: {'a' * 193}..."),
        ((200, event({"error": f"{'a' * 180} {KEY}"})), f"fails: {'a' * 180} ..."),
        ((401, b'{"error": {"message": "Incorrect API key: sk-very-secret"}}'), "answers 401: Incorrect API key: ..."),
        ((400, b'{"error": "no such model"}'), "answers 400: no such model"),
        ((500, b"oops"), "answers 500"),
        ((302, b""), "answers 302"),
    ],
)
def test_an_answer_that_is_none_is_an_error_without_the_key(server, answer, said, caplog):
    caplog.set_level(logging.DEBUG)
    server.answer, server.location = (lambda _: answer), f"{server.url}/elsewhere"
    error = refused(server)
    assert error.what == said
    assert error.where == f"{server.url}/chat/completions"
    assert error.fix
    assert error.__cause__ is None
    assert "very" not in repr(error) + str(error) + caplog.text
    assert server.paths == ["/v1/chat/completions"]


def test_a_stream_that_breaks_off_is_an_error_behind_its_parts(server):
    server.stream = lambda _: [delta("a"), None]
    answer = answerer(server).answer(ASKED)
    assert next(answer) == TextPiece("a")
    with pytest.raises(AnswerError, match="breaks off within its answer"):
        next(answer)


def test_where_nothing_listens_it_says_so():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(AnswerError, match=r"cannot be asked: connection refused\. Check .* SPEECH_ANSWER_KEY"):
        next(ChatAnswerer(f"http://127.0.0.1:{port}/v1", "tiny", KEY).answer(ASKED))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"temperature": -0.1}, r"answers\.temperature -0\.1, expected 0 to 2"),
        ({"max_tokens": 0}, r"answers\.max_tokens 0, expected at least 1"),
        ({"timeout_s": 0.0}, r"answers\.timeout_s 0"),
        ({"part_s": float("nan")}, r"answers\.part_s is nan"),
    ],
)
def test_options_out_of_range_are_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        AnswerOptions(**options)


def test_a_password_in_the_address_is_refused_and_not_repeated():
    with pytest.raises(ConfigError, match="SPEECH_ANSWER_KEY") as caught:
        ChatAnswerer("https://me:hidden@host/v1")
    assert "hidden" not in str(caught.value)
