"""A text translator behind a chat endpoint of a language model, as OpenAI, vLLM, llama.cpp and Ollama have it."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from speech.errors import ConfigError, TranslatorError
from speech.text.languages import LANGUAGES
from speech.translate.text.directions import Directions
from speech.translate.text.translator import check_pair
from speech.translate.toxicity import ToxicWords

_MOST_LETTERS = 4000
"""Maximum length of a text."""
_MOST_BYTES = 262_144
"""Maximum length of an answer."""
_SHOWN = 200
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
        ConfigError: if the address is none, or holds a password.
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
        self._place = _checked(url)
        self._model, self._directions, self._timeout_s = model, directions, timeout_s
        self._key = key
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
        try:
            written = json.loads(self._ask(json.dumps(asked).encode()))["choices"][0]["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError, RecursionError):
            raise self._error("does not answer as a chat endpoint does") from None
        if not isinstance(written, str) or not written.strip():
            raise self._error("answers without a text")
        return " ".join(written.split())

    def _ask(self, body: bytes) -> bytes:
        with self._lock:
            resting = self._failed is not None and self._now() - self._failed[0] < self._rest_s
            before = "" if self._failed is None else self._failed[1]
        if resting:
            raise self._error(before)
        headers = {"Content-Type": "application/json", "User-Agent": "speech"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(self._place, data=body, headers=headers, method="POST")
        try:
            with _OPENER.open(request, timeout=self._timeout_s) as answer:
                data = self._read(answer)
        except urllib.error.HTTPError as error:
            with error:
                refused = f"answers {error.code}{self._reason(error)}"
            raise self._failure(refused, lasting=error.code >= 500 or error.code in (401, 403, 404, 429)) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._failure(_why(error, self._timeout_s), lasting=True) from None
        if len(data) > _MOST_BYTES:
            raise self._error(f"answers with more than {_MOST_BYTES} bytes")
        with self._lock:
            self._failed = None
        return data

    def _read(self, answer: http.client.HTTPResponse) -> bytes:
        """The body of an answer, up to somewhat more than `_MOST_BYTES`. Raises TimeoutError if it comes too slowly."""
        data, begun_s = b"", self._now()
        while len(data) <= _MOST_BYTES and (block := answer.read1(65_536)):
            data += block
            if self._now() - begun_s > self._timeout_s:
                raise TimeoutError
        return data

    def _failure(self, what: str, *, lasting: bool) -> TranslatorError:
        if lasting:
            with self._lock:
                self._failed = self._now(), what
        return self._error(what)

    def _error(self, what: str) -> TranslatorError:
        return TranslatorError(self._hidden(what), where=self._place, fix="Check the translator's address and key.")

    def _reason(self, error: urllib.error.HTTPError) -> str:
        """What an endpoint says about a refusal, shortened."""
        try:
            record: Any = json.loads(error.read(_MOST_BYTES))
            said = record["error"]["message"] if isinstance(record["error"], dict) else record["error"]
            return f": {' '.join(str(said).split())[:_SHOWN]}"
        except (ValueError, KeyError, TypeError, RecursionError, OSError, http.client.HTTPException):
            return ""

    def _hidden(self, text: str) -> str:
        """A text without the key, which some endpoints repeat."""
        return text.replace(self._key, "...") if self._key else text


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Redirects are refused: the key and the texts are for one address only."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)


def _checked(url: str) -> str:
    """The address of chats below a base address."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    odd = not url.isprintable() or any(map(str.isspace, url))
    if not host or odd or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        raise ConfigError("a translator's address that is none", fix="E.g. http://127.0.0.1:11434/v1=eng:fra.")
    if "@" in parts.netloc:
        raise ConfigError("a translator's address holds a password", fix="Give a key in SPEECH_TRANSLATOR_KEY.")
    return f"{url.rstrip('/')}/chat/completions"


def _why(error: Exception, timeout_s: float) -> str:
    """Why a request failed, without what was sent."""
    reason = getattr(error, "reason", None)
    cause = reason if isinstance(reason, Exception) else error
    if isinstance(cause, TimeoutError):
        return f"does not answer within {timeout_s:g} s"
    if isinstance(cause, ssl.SSLError):
        said = getattr(cause, "verify_message", None) or cause.reason or "no TLS"
        return f"cannot be asked: {said.lower().replace('_', ' ')}"
    number = getattr(cause, "errno", None) or 0
    said = os.strerror(number) if number > 0 else str(getattr(cause, "strerror", None) or type(cause).__name__)
    return f"cannot be asked: {said.lower()}"
