"""Reads the response of a chat endpoint: blocks of bytes in, parts of an answer out. It knows no sockets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from speech.dialogue.answers.answerer import AnswerPart, TextPiece, ToolCall
from speech.dialogue.answers.event_stream import event_data
from speech.errors import AnswerError

MOST_LINE_BYTES = 262_144
"""Maximum length of a line: an event is some hundred bytes, one with a whole answer some thousand."""
MOST_BYTES = 4 << 20
"""Maximum length of a response: about 15,000 events of a token each."""
_MARK = b"\xef\xbb\xbf"
_OTHER = "Ask an endpoint of OpenAI's chat completions."


def answer_parts(
    blocks: Iterable[bytes], *, most_line_bytes: int = MOST_LINE_BYTES, most_bytes: int = MOST_BYTES
) -> Iterator[AnswerPart]:
    """The parts of an answer, as soon as they are there. Tool calls come whole, at the end of the answer.

    The response is a stream of events, or one JSON record, as endpoints send it that do not stream. How it is cut into
    blocks does not matter. Nothing is read behind the end of the answer.

    Args:
        blocks: body of the response.
        most_line_bytes: maximum length of a line of events.
        most_bytes: maximum length of the response.

    Raises:
        AnswerError: if the response is none of a chat, is too long, breaks off or says that it failed. Parts that came
            before it have been yielded.
    """
    blocks = _at_most(blocks, most_bytes)
    head = _head(blocks, most_line_bytes)
    blocks = chain([head], blocks)
    if head[:most_line_bytes].lstrip().startswith(b"{"):
        yield from _parts([b"".join(blocks).decode("utf-8", "replace")], whole=True)
    else:
        yield from _parts(event_data(blocks, most_line_bytes), whole=False)


def _at_most(blocks: Iterable[bytes], most_bytes: int) -> Iterator[bytes]:
    left = most_bytes
    for block in blocks:
        yield block[:left]
        left -= len(block)
        if left < 0:
            raise AnswerError(f"answers with more than {most_bytes} bytes", fix="Ask for a shorter one: max_tokens.")


def _head(blocks: Iterator[bytes], most_bytes: int) -> bytes:
    """The beginning of a response up to the block with its first letter, without a byte order mark."""
    head = b""
    for block in blocks:
        head += block
        if not _MARK.startswith(head) and (head.removeprefix(_MARK).strip() or len(head) > most_bytes):
            break
    return head.removeprefix(_MARK)


def _parts(events: Iterable[str], *, whole: bool) -> Iterator[AnswerPart]:
    """See `answer_parts`.

    Args:
        events: chunks of an answer.
        whole: there is one, with all of the answer.
    """
    calls = _ToolCalls()
    begun, said = False, False
    for event in events:
        if begun and event.strip() == "[DONE]":
            break
        choice = _choice(event)
        if choice is None:
            continue
        begun = True
        delta = _field(choice, "message" if whole else "delta", dict) or {}
        # A refusal is the model's own words, too.
        text = _field(delta, "content", str) or _field(delta, "refusal", str)
        if text:
            said = True
            yield TextPiece(_repaired(text))
        for piece in _field(delta, "tool_calls", list) or []:
            calls.add(piece)
        ended = _field(choice, "finish_reason", str)
        if ended or whole:
            _check_end(ended, complete=said and not calls.begun)
            break
    else:
        raise _broken_off() if begun else _no_chat()
    yield from calls.joined()


def _check_end(reason: str | None, *, complete: bool) -> None:
    """Raises AnswerError if an answer was ended from outside, unless enough of it was said."""
    if reason == "content_filter":
        raise AnswerError("withholds its answer: content_filter", fix="Ask something else, or another model.")
    if reason == "length" and not complete:
        raise AnswerError("has no tokens left for its answer: length", fix="Raise max_tokens.")


def _choice(event: str) -> dict[str, Any] | None:
    """The first choice of a chunk; None: it has none, as those with statistics. Raises AnswerError if it is none."""
    try:
        record = json.loads(event)
    except (ValueError, RecursionError):
        raise _no_chat() from None
    if not isinstance(record, dict):
        raise _no_chat()
    if error := record.get("error"):
        said = error.get("message") or error.get("code") if isinstance(error, dict) else error
        raise AnswerError(f"fails: {said}", fix="See the log of the endpoint.")
    choices = _field(record, "choices", list)
    if choices and not isinstance(choices[0], dict):
        raise _no_chat()
    return choices[0] if choices else None


@dataclass
class _Pieces:
    """What has come of a tool call."""

    id: str
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class _ToolCalls:
    """Joins the pieces of tool calls by their index. Where there is none, an id or a name begins the next call."""

    def __init__(self) -> None:
        self.begun: list[_Pieces] = []
        self._of: dict[int | str, _Pieces] = {}

    def add(self, piece: object) -> None:
        """Raises AnswerError if the piece is none."""
        if not isinstance(piece, dict):
            raise _no_chat()
        index, id_ = _field(piece, "index", int), _field(piece, "id", str) or ""
        function = _field(piece, "function", dict) or {}
        name = _field(function, "name", str) or ""
        call = self._call(index, id_, name)
        call.id, call.name = call.id or id_, call.name or name
        call.arguments.append(_field(function, "arguments", str) or "")

    def joined(self) -> Iterator[ToolCall]:
        """Whole calls, in the order in which they began. Raises AnswerError if one has no name, or no JSON."""
        for number, call in enumerate(self.begun):
            arguments = "".join(call.arguments).strip() or "{}"
            if not call.name:
                raise AnswerError("calls a tool without a name", fix=_OTHER)
            try:
                json.loads(arguments)
            except (ValueError, RecursionError):
                text = f"calls the tool {call.name} with arguments that are no JSON"
                raise AnswerError(text, fix="Ask again, or another model.") from None
            yield ToolCall(call.id or f"call_{number}", call.name, _repaired(arguments))

    def _call(self, index: int | None, id_: str, name: str) -> _Pieces:
        key = id_ if index is None else index
        if key != "":
            call = self._of.get(key)
        else:
            call = self.begun[-1] if self.begun and not name else None
        if call is None or (id_ and call.id and call.id != id_):  # some endpoints give all calls the same index
            call = _Pieces(id_)
            self.begun.append(call)
        if key != "":
            self._of[key] = call
        return call


def _field[Kind](record: dict[str, Any], name: str, kind: type[Kind]) -> Kind | None:
    """A field that may be missing or null. Raises AnswerError if it has another type."""
    value = record.get(name)
    if value is None:
        return None
    if not isinstance(value, kind):
        raise _no_chat()
    return value


def _repaired(text: str) -> str:
    """A text without lone surrogates, which JSON can have and UTF-8 cannot."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _no_chat() -> AnswerError:
    return AnswerError("does not answer as a chat endpoint does", fix=_OTHER)


def _broken_off() -> AnswerError:
    return AnswerError("breaks off within its answer", fix="Ask again; see the log of the endpoint.")
