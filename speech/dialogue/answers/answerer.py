"""What every source of answers has in common: messages in, parts of an answer out."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class TextPiece:
    """The next piece of an answer's text; pieces are joined without spaces."""

    text: str
    """At least one letter."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that is to be called before the dialogue goes on."""

    id: str
    """Names the call; the message with its result repeats it."""
    name: str
    arguments: str
    """The whole JSON text of the arguments."""


AnswerPart = TextPiece | ToolCall


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """What was said in a dialogue, or what a tool gave."""

    role: Role
    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    """Calls that an assistant's message asked for."""
    tool_call_id: str | None = None
    """The call whose result the message of a tool is."""


class Answer(Iterator[AnswerPart], Protocol):
    """An answer, part by part. One thread iterates and waits for parts; any thread may close.

    Iterating raises AnswerError if there is no answer, or no more of it. Parts before the error stand.
    """

    def close(self) -> None:
        """Cancel the answer at once: an iteration that waits ends, as later ones do. Closing again does nothing."""


class Answerer(Protocol):
    """Answers what the user of a dialogue said. It may be called from several threads."""

    def answer(self, messages: Sequence[ChatMessage], tools: Sequence[Mapping[str, Any]] = ()) -> Answer:
        """Begin an answer. It returns at once; iterating blocks.

        Args:
            messages: the dialogue so far, oldest first.
            tools: tools that the answer may call, as records of OpenAI's chat completions.
        """


class KnownAnswer:
    """See `Answer`: parts that are known beforehand."""

    def __init__(self, parts: Iterable[AnswerPart]) -> None:
        self._parts = iter(tuple(parts))
        self._closed = threading.Event()

    def __iter__(self) -> KnownAnswer:
        return self

    def __next__(self) -> AnswerPart:
        if self._closed.is_set():
            raise StopIteration
        return next(self._parts)

    def close(self) -> None:
        """See `Answer`."""
        self._closed.set()


def users_texts(messages: Sequence[ChatMessage]) -> list[str]:
    """What the user of a dialogue said, oldest first."""
    return [message.text for message in messages if message.role == "user"]
