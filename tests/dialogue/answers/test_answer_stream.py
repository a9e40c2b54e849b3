"""Responses of chat endpoints, as bytes."""

import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.dialogue.answers.answer_stream import answer_parts
from speech.dialogue.answers.answerer import AnswerPart, TextPiece, ToolCall
from speech.errors import AnswerError
from tests.chat_server import DONE, delta, event
from tests.dialogue.cuts import cut

MARK = b"\xef\xbb\xbf"
STOP = delta(finish="stop")
WHOLE = {
    "choices": [
        {
            "message": {
                "content": "Grüß Gott 😀",
                "tool_calls": [
                    {"id": "a", "function": {"name": "look", "arguments": '{"at": "é"}'}},
                    {"id": "b", "function": {"name": "stop", "arguments": ""}},
                ],
            },
            "finish_reason": "tool_calls",
        }
    ]
}


def calls(*pieces: dict) -> bytes:
    return delta(tool_calls=list(pieces))


def call(index: int | None = None, id_: str | None = None, name: str | None = None, arguments: str = "") -> dict:
    """A piece of a tool call."""
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {"function": function} | ({} if index is None else {"index": index}) | ({"id": id_} if id_ else {})


def outcome(blocks: Iterable[bytes], **limits: int) -> tuple[list[AnswerPart], str | None]:
    """The parts of an answer, and the error behind them."""
    parts: list[AnswerPart] = []
    try:
        for part in answer_parts(blocks, **limits):
            parts.append(part)
    except AnswerError as error:
        return parts, error.what
    return parts, None


def texts(*texts: str) -> list[AnswerPart]:
    return [TextPiece(text) for text in texts]


RAW = '{"choices": [{"delta": {"content": "Grüß 你好 😀"}}]}'.encode()
STREAMS = {
    "text": b": hello\n\n" + delta("") + b"data: " + RAW + b"\n\n" + delta(" b") + STOP + DONE,
    "returns": (b":\n\ndata: " + RAW + b"\n\n" + delta("b") + STOP + DONE).replace(b"\n", b"\r\n"),
    "tools": delta("a") + calls(call(0, "x", "look", '{"at"')) + calls(call(0, None, None, ": 1}")) + STOP,
    "whole": MARK + b"\r\n" + json.dumps(WHOLE, indent=1, ensure_ascii=False).encode(),
    "marked": MARK + b"\n" + delta("a") + STOP,
    "fails": delta("a") + event({"error": {"message": "overloaded"}}) + delta("b") + STOP,
    "page": b"<html>\n\n<p>data: no</p>",
    "broken off": delta("a") + delta("b")[:-1],
    "long line": delta("a") + b"data: " + b"x" * 400 + b"\n\n" + STOP,
    "long": delta("ab") * 20,
}


@pytest.mark.parametrize("name", STREAMS)
@given(places=st.lists(st.integers(0, 2000), max_size=60))
def test_how_a_response_is_cut_does_not_matter(name, places):
    stream, limits = STREAMS[name], {"most_line_bytes": 300, "most_bytes": 1200}
    expected = outcome([stream], **limits)
    assert outcome(cut(stream, places), **limits) == expected
    assert outcome([stream[at : at + 1] for at in range(len(stream))], **limits) == expected


@pytest.mark.parametrize(
    ("name", "parts", "error"),
    [
        ("text", texts("Grüß 你好 😀", " b"), None),
        ("returns", texts("Grüß 你好 😀", "b"), None),
        ("tools", [*texts("a"), ToolCall("x", "look", '{"at": 1}')], None),
        (
            "whole",
            [*texts("Grüß Gott 😀"), ToolCall("a", "look", '{"at": "é"}'), ToolCall("b", "stop", "{}")],
            None,
        ),
        ("marked", texts("a"), None),
        ("fails", texts("a"), "fails: overloaded"),
        ("page", [], "does not answer as a chat endpoint does"),
        ("broken off", texts("a"), "breaks off within its answer"),
        ("long line", texts("a"), "sends a line of more than 300 bytes"),
    ],
)
def test_what_is_read_of_a_response(name, parts, error):
    assert outcome([STREAMS[name]], most_line_bytes=300) == (parts, error)


def test_a_long_answer_is_cut_off_with_an_error():
    size = len(delta("ab"))
    parts, error = outcome([STREAMS["long"]], most_bytes=3 * size + 5)
    assert (parts, error) == (texts("ab", "ab", "ab"), f"answers with more than {3 * size + 5} bytes")
    assert outcome([delta("ab") * 3 + STOP], most_bytes=3 * size + len(STOP))[1] is None
    whole = json.dumps(WHOLE).encode()
    assert outcome([whole], most_bytes=len(whole))[1] is None
    assert outcome([whole], most_bytes=len(whole) - 1)[1] == f"answers with more than {len(whole) - 1} bytes"


def test_an_endless_response_is_not_kept():
    def endless(block):
        while True:
            yield block

    for block in (b" " * 1000, b'{"a": "' + b"b" * 1000, b": c\n" * 250, delta() * 10):
        assert outcome(endless(block), most_bytes=200_000)[1] == "answers with more than 200000 bytes"


def test_a_piece_is_there_before_the_next_block():
    def blocks():
        yield delta("a")
        raise AssertionError("it waits for more")

    assert next(answer_parts(blocks())) == TextPiece("a")


@pytest.mark.parametrize("end", [STOP, delta("", "stop"), DONE, delta(finish="length"), delta(finish="eos")])
def test_nothing_is_read_behind_the_end(end):
    def blocks():
        yield delta("a")
        yield end
        raise AssertionError("it reads on")

    assert list(answer_parts(blocks())) == texts("a")


@pytest.mark.parametrize(
    ("pieces", "joined"),
    [
        (
            [call(0, "x", "look", '{"a"'), call(1, "y", "stop"), call(0, None, None, ":1}"), call(1, arguments="[]")],
            [ToolCall("x", "look", '{"a":1}'), ToolCall("y", "stop", "[]")],
        ),
        (
            [call(0, "x", "look", '{"a"'), call(0, "x", "look", ":1}")],
            [ToolCall("x", "look", '{"a":1}')],
        ),
        (
            [call(0, "x", "look", "1"), call(0, "y", "look", "2"), call(0, None, None, "3")],
            [ToolCall("x", "look", "1"), ToolCall("y", "look", "23")],
        ),
        (
            [call(None, "x", "look", "1"), call(None, None, None, "2"), call(None, "y", "stop", "3")],
            [ToolCall("x", "look", "12"), ToolCall("y", "stop", "3")],
        ),
        (
            [call(None, None, "look", "1"), call(None, None, "look", "2")],
            [ToolCall("call_0", "look", "1"), ToolCall("call_1", "look", "2")],
        ),
        ([call(3, "x", "look", "  ")], [ToolCall("x", "look", "{}")]),
    ],
    ids=["by index", "repeated", "one index for all", "by id", "by name", "without arguments"],
)
def test_pieces_of_tool_calls_are_joined(pieces, joined):
    stream = b"".join(calls(piece) for piece in pieces) + delta(finish="tool_calls") + DONE
    assert outcome([stream]) == (joined, None)
    assert outcome([calls(*pieces) + DONE]) == (joined, None)


@pytest.mark.parametrize(
    ("piece", "said"),
    [
        (call(0, "x", "look", '{"a'), "calls the tool look with arguments that are no JSON"),
        (call(0, "x", "look", "[" * 10_000), "calls the tool look with arguments that are no JSON"),
        (call(0, "x", None, "{}"), "calls a tool without a name"),
    ],
)
def test_a_tool_call_that_nobody_can_run_is_an_error(piece, said):
    assert outcome([delta("a"), calls(piece), STOP]) == (texts("a"), said)


@pytest.mark.parametrize(
    ("stream", "parts", "error"),
    [
        (delta("a") + delta(finish="length"), texts("a"), None),
        (delta(finish="length"), [], "has no tokens left for its answer: length"),
        (delta("a") + calls(call(0, "x", "look", "{}")) + delta(finish="length"), texts("a"), "has no tokens left"),
        (delta("a") + delta(finish="content_filter"), texts("a"), "withholds its answer: content_filter"),
        (STOP + DONE, [], None),
        (delta(refusal="No.") + STOP, texts("No."), None),
        (delta(reasoning_content="Hm") + delta("a") + STOP, texts("a"), None),
        (delta(role="assistant", content=None) + delta("a") + STOP, texts("a"), None),
        (event({"choices": [], "usage": {}}) + event({"id": "x"}) + delta("a") + STOP, texts("a"), None),
        (delta("a\ud83d") + delta("\ud83d\ude00") + STOP, texts("a\ufffd", "😀"), None),
        (event({"error": "busy"}), [], "fails: busy"),
        (event({"error": {"code": 429}}), [], "fails: 429"),
        (b'{"error": {"message": "no such model"}}', [], "fails: no such model"),
    ],
)
def test_how_an_answer_can_end(stream, parts, error):
    found, said = outcome([stream])
    assert found == parts
    assert said == error or (error and (said or "").startswith(error))


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"  \n",
        MARK,
        DONE,
        b"data: {\n\n",
        b"data: [1]\n\n",
        b"data: " + b"[" * 10_000 + b"\n\n",
        b"{",
        b"{}",
        b'{"choices": []}',
        b'{"choices": {}}',
        b'{"choices": [1]}',
        b'{"choices": [{"message": 1}]}',
        b'{"choices": [{"message": {"content": 1}}]}',
        event({"choices": [{"delta": {"tool_calls": {}}}]}),
        event({"choices": [{"delta": {"tool_calls": [1]}}]}),
        event({"choices": [{"delta": {"tool_calls": [{"index": "0"}]}}]}),
        event({"choices": [{"delta": {"tool_calls": [{"function": {"arguments": {}}}]}}]}),
        event({"choices": [{"finish_reason": 1}]}),
    ],
)
def test_what_no_chat_endpoint_sends_is_an_error(stream):
    assert outcome([stream]) == ([], "does not answer as a chat endpoint does")
