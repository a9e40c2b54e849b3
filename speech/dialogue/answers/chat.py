"""An answerer behind a chat endpoint of a language model, as OpenAI, vLLM, llama.cpp and Ollama have it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from speech.chat_requests import ChatEndpoint, ChatRequest, ChatRequestError
from speech.dialogue.answers.answer_stream import answer_parts
from speech.dialogue.answers.answerer import AnswerPart, ChatMessage
from speech.errors import AnswerError
from speech.ranges import check, ranged

KEY = "SPEECH_ANSWER_KEY"
"""Environment variable with the API key of an endpoint."""
_EXAMPLE = "http://127.0.0.1:11434/v1=MODEL"
_FIX = f"Check the endpoint, its address, the name of the model, and the key in {KEY}."


@dataclass(frozen=True, kw_only=True)
class AnswerOptions:
    """What an endpoint is told beside the messages, and how long it may take."""

    instructions: str = ""
    """Text of the system, in front of the messages; empty: none."""
    temperature: float | None = ranged(None, least=0.0, most=2.0)
    """None: the endpoint's own."""
    max_tokens: int | None = ranged(None, least=1)
    """Maximum tokens of an answer; the text of one that reaches it stands. None: the endpoint's own."""
    timeout_s: float = ranged(10.0, above=0.0, most=3600.0)
    """Maximum seconds for the connection, and without a byte."""
    part_s: float = ranged(60.0, above=0.0, most=3600.0)
    """Maximum seconds without a part of the answer, whatever else comes; a tool call is one part."""

    def __post_init__(self) -> None:
        check(self, "answers")


class ChatAnswerer:
    """See `Answerer`. Each answer is a request of its own, whose text comes as the endpoint writes it.

    Args:
        url: base address, such as http://127.0.0.1:11434/v1; `/chat/completions` follows.
        model: name of the model at the endpoint; None: the endpoint's own.
        key: API key; never part of a message.
        options: see there.
        now: clock in seconds.

    Raises:
        ConfigError: if the address is none or holds a password, or the key is none.
    """

    def __init__(
        self,
        url: str,
        model: str | None = None,
        key: str | None = None,
        options: AnswerOptions | None = None,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoint = ChatEndpoint.below(url, key, owner="an answerer", example=_EXAMPLE, variable=KEY)
        self._model, self._options, self._now = model, options or AnswerOptions(), now

    def answer(self, messages: Sequence[ChatMessage], tools: Sequence[Mapping[str, Any]] = ()) -> ChatAnswer:
        """See `Answerer`. Nothing is sent before the first iteration."""
        told = self._options
        records = [_record(message) for message in messages]
        if told.instructions:
            records.insert(0, {"role": "system", "content": told.instructions})
        asked: dict[str, Any] = {"messages": records, "stream": True}
        if tools:
            asked["tools"] = list(tools)
        asked |= {
            name: value
            for name, value in (
                ("model", self._model), ("temperature", told.temperature), ("max_tokens", told.max_tokens)
            )
            if value is not None
        }  # fmt: skip
        return ChatAnswer(self._endpoint, ChatRequest(self._endpoint, asked, told.timeout_s), told.part_s, self._now)


class ChatAnswer:
    """See `Answer`. The connection is closed with the answer, at its end, and after an error.

    Args:
        endpoint: where the request goes.
        request: nothing of it has been read.
        part_s: see `AnswerOptions`.
        now: clock in seconds.
    """

    def __init__(self, endpoint: ChatEndpoint, request: ChatRequest, part_s: float, now: Callable[[], float]) -> None:
        self._endpoint, self._request, self._part_s, self._now = endpoint, request, part_s, now
        self._parts = answer_parts(self._blocks())
        self._waiting_since_s = 0.0

    def __iter__(self) -> ChatAnswer:
        return self

    def __next__(self) -> AnswerPart:
        self._waiting_since_s = self._now()
        try:
            part = next(self._parts)
        except ChatRequestError as error:
            raise self._failed(error.what, _FIX) from None
        except AnswerError as error:
            if self._request.closed:  # what broke off was cancelled
                raise StopIteration from None
            raise self._failed(error.what, error.fix) from None
        except StopIteration:
            self.close()
            raise
        if self._request.closed:
            raise StopIteration
        return part

    def close(self) -> None:
        """See `Answer`."""
        self._request.close()

    def _blocks(self) -> Iterator[bytes]:
        while block := self._request.read():
            yield block
            if self._now() - self._waiting_since_s > self._part_s:
                raise ChatRequestError(f"sends no part of an answer for {self._part_s:g} s", lasting=False)

    def _failed(self, what: str, fix: str | None) -> AnswerError:
        self.close()
        return AnswerError(self._endpoint.shown(what), where=self._endpoint.address, fix=fix)


def _record(message: ChatMessage) -> dict[str, Any]:
    """A message as chat completions have it."""
    record: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.tool_calls:
        record["content"] = message.text or None
        record["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        record["tool_call_id"] = message.tool_call_id
    return record
