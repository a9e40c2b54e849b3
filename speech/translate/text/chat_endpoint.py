"""A text translator behind a chat endpoint of a language model, as OpenAI, vLLM, llama.cpp and Ollama have it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any

from speech.chat_requests import ChatEndpoint, ChatRequest, ChatRequestError
from speech.errors import TranslatorError
from speech.text.languages import LANGUAGES
from speech.translate.text.directions import Directions
from speech.translate.text.translator import check_pair
from speech.translate.toxicity import ToxicWords

_MOST_LETTERS = 4000
"""Maximum length of a text."""
_MOST_BYTES = 262_144
"""Maximum length of an answer."""
_EXAMPLE = "http://127.0.0.1:11434/v1=eng:fra"
_PROMPT = "Translate speech that was transcribed from {source} into {target}. Answer with the translation alone."


class ChatTranslator:
    """See `TextTranslator`. A text is a chat of its own, at temperature 0.

    After a failure of the connection or of the server, it fails at once for `rest_s`: speech that goes on does not wait
    for an endpoint that is down.

    Args:
        url: base address, such as http://127.0.0.1:11434/v1; `/chat/completions` follows.
        model: name of the model at the endpoint.
        directions: languages to use it for.
        key: API key; never part of a message.
        timeout_s: seconds for the connection and the beginning of an answer, and again for its rest.
        rest_s: see above.
        now: clock in seconds.

    Raises:
        ConfigError: if the address is none or holds a password, or the key is none.
    """

    def __init__(
        self,
        url: str,
        model: str,
        directions: Directions,
        *,
        key: str | None = None,
        timeout_s: float = 10.0,
        rest_s: float = 10.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoint = ChatEndpoint.below(
            url, key, owner="a translator", example=_EXAMPLE, variable="SPEECH_TRANSLATOR_KEY"
        )
        self._model, self._directions, self._timeout_s = model, directions, timeout_s
        self._rest_s, self._now = rest_s, now
        self._lock = threading.Lock()
        self._failed: tuple[float, str] | None = None
        """When and why the last request failed."""

    @property
    def sources(self) -> tuple[str, ...]:
        """See `TextTranslator`."""
        return self._directions.sources

    @property
    def targets(self) -> tuple[str, ...]:
        """See `TextTranslator`."""
        return self._directions.targets

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        """See `TextTranslator`."""
        check_pair(self, source, target)
        told = _PROMPT.format(source=LANGUAGES[source].name, target=LANGUAGES[target].name)
        return [self._translate(text, told) for text in texts]

    def translate_without(self, text: str, source: str, target: str, words: ToxicWords) -> str | None:
        """None: an endpoint has no way to ban words."""
        return None

    def _translate(self, text: str, told: str) -> str:
        if len(text) > _MOST_LETTERS:
            raise self._error(f"is not asked: a text of {len(text)} letters, at most {_MOST_LETTERS}")
        messages = [{"role": "system", "content": told}, {"role": "user", "content": text}]
        asked = {"model": self._model, "messages": messages, "temperature": 0, "stream": False}
        answer = self._ask(asked)
        try:
            written = json.loads(answer)["choices"][0]["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError, RecursionError):
            raise self._error("does not answer as a chat endpoint does") from None
        if not isinstance(written, str) or not written.strip():
            raise self._error("answers without a text")
        return " ".join(written.split())

    def _ask(self, asked: Mapping[str, Any]) -> bytes:
        with self._lock:
            resting = self._failed is not None and self._now() - self._failed[0] < self._rest_s
            before = "" if self._failed is None else self._failed[1]
        if resting:
            raise self._error(before)
        try:
            with closing(ChatRequest(self._endpoint, asked, self._timeout_s)) as request:
                data = self._read(request)
        except ChatRequestError as error:
            if error.lasting:
                with self._lock:
                    self._failed = self._now(), error.what
            raise self._error(error.what) from None
        if len(data) > _MOST_BYTES:
            raise self._error(f"answers with more than {_MOST_BYTES} bytes")
        with self._lock:
            self._failed = None
        return data

    def _read(self, request: ChatRequest) -> bytes:
        """The body of an answer, up to somewhat more than `_MOST_BYTES`. Raises ChatRequestError if it is too slow."""
        data = request.read()
        begun_s = self._now()
        while len(data) <= _MOST_BYTES and (block := request.read()):
            data += block
            if self._now() - begun_s > self._timeout_s:
                raise ChatRequestError(f"does not answer within {self._timeout_s:g} s", lasting=True)
        return data

    def _error(self, what: str) -> TranslatorError:
        return TranslatorError(what, where=self._endpoint.address, fix="Check the translator's address and key.")
