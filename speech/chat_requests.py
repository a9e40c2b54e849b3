"""Requests to chat endpoints of language models, as OpenAI, vLLM, llama.cpp and Ollama have them.

Redirects are not followed, the key is part of no message, and any thread may close a request while another one reads.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any
from urllib.parse import urlsplit

from speech.errors import ConfigError

_BLOCK = 65_536
"""Maximum bytes of one read, and of what is read of a refusal."""
_SHOWN = 200
"""Maximum letters of an endpoint's own words in a message."""
_LASTING = (401, 403, 404, 429)
"""Statuses below 500 with which the next request is refused, too."""

_Connected = Callable[[socket.socket], None]


class ChatRequestError(Exception):
    """A request that failed.

    Args:
        what: why, without the key: "answers 401: Incorrect API key".
        lasting: whether other requests are likely to fail as well.
    """

    def __init__(self, what: str, *, lasting: bool) -> None:
        super().__init__(what)
        self.what = what
        self.lasting = lasting


@dataclass(frozen=True)
class ChatEndpoint:
    """Where chats are sent, and the key to it."""

    address: str
    """URL of the chat completions."""
    key: str | None = field(default=None, repr=False)
    """API key; None or empty: none is sent."""

    @classmethod
    def below(cls, url: str, key: str | None, *, owner: str, example: str, variable: str) -> ChatEndpoint:
        """The endpoint below a base address.

        Args:
            url: base address, such as http://127.0.0.1:11434/v1; `/chat/completions` follows.
            key: API key, or None.
            owner: whose address it is, for messages: "a translator".
            example: an address as the user should have written it.
            variable: environment variable of the key.

        Raises:
            ConfigError: if the address is none or holds a password, or the key is none.
        """
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            host = None
        odd = not url.isprintable() or any(map(str.isspace, url))
        if not host or odd or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
            raise ConfigError(f"{owner}'s address that is none", fix=f"E.g. {example}.")
        if "@" in parts.netloc:
            raise ConfigError(f"{owner}'s address holds a password", fix=f"Give a key in {variable}.")
        if key and not all("!" <= letter <= "~" for letter in key):
            fix = f"Give it in {variable}, without spaces and line ends."
            raise ConfigError(f"{owner}'s key has characters that no key has", fix=fix)
        return cls(f"{url.rstrip('/')}/chat/completions", key)

    def shown(self, text: object) -> str:
        """An endpoint's own words for a message: on one line, shortened, and without the key, which some repeat."""
        words = " ".join(str(text).split())
        words = words.replace(self.key, "...") if self.key else words
        return words if len(words) <= _SHOWN else f"{words[:_SHOWN]}..."


class ChatRequest:
    """One request and the body of its response, as it arrives. Nothing is sent before the first `read`.

    One thread reads; any thread may close. It keeps a duplicate of the socket, to shut the connection down below TLS
    and below a `read` that waits in another thread.

    Args:
        endpoint: whom to ask.
        asked: record to send as JSON.
        timeout_s: maximum seconds for the connection, and for each wait for bytes.
    """

    def __init__(self, endpoint: ChatEndpoint, asked: Mapping[str, Any], timeout_s: float) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": "speech"}
        if endpoint.key:
            headers["Authorization"] = f"Bearer {endpoint.key}"
        self._request = _Post(endpoint.address, json.dumps(asked).encode(), headers, self._connected)
        self._endpoint, self._timeout_s = endpoint, timeout_s
        self._lock = threading.Lock()
        self._reading, self._closed = False, False
        self._socket: socket.socket | None = None
        self._response: http.client.HTTPResponse | None = None

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def read(self) -> bytes:
        """The next bytes of the body, at most 64 KiB, as soon as there are any; empty at its end and once closed.

        Raises:
            ChatRequestError: if the endpoint cannot be reached, refuses, sends nothing for too long, or breaks off.
        """
        with self._lock:
            if self._closed:
                return b""
            self._reading = True
        try:
            return self._read()
        except ChatRequestError:
            if self._closed:
                return b""
            raise
        finally:
            with self._lock:
                self._reading, closed = False, self._closed
            if closed:
                self._release()

    def close(self) -> None:
        """Close the connection at once; a `read` that waits returns. Closing again does nothing.

        While the connection itself is being made, that `read` returns when this ends, after `timeout_s` at most.
        """
        with self._lock:
            self._closed, idle = True, not self._reading
            if self._socket is not None:
                _shut_down(self._socket)
        if idle:
            self._release()

    def _read(self) -> bytes:
        if self._response is None:
            self._response = self._open()
        try:
            return self._response.read1(_BLOCK)
        except TimeoutError:
            raise ChatRequestError(f"sends nothing for {self._timeout_s:g} s", lasting=True) from None
        except (OSError, http.client.HTTPException, ValueError):
            raise ChatRequestError("breaks off within its answer", lasting=True) from None

    def _open(self) -> http.client.HTTPResponse:
        try:
            response: http.client.HTTPResponse = _opener().open(self._request, timeout=self._timeout_s)
            return response
        except urllib.error.HTTPError as error:
            with error:
                said = self._reason(error)
            lasting = error.code >= 500 or error.code in _LASTING
            raise ChatRequestError(f"answers {error.code}{said}", lasting=lasting) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ChatRequestError(_why(error, self._timeout_s), lasting=True) from None

    def _connected(self, connection: socket.socket) -> None:
        """Keep the socket of the connection, before TLS. Raises ConnectionAbortedError if closed in the meantime."""
        with self._lock:
            if self._closed:
                raise ConnectionAbortedError
            self._socket = connection.dup()

    def _release(self) -> None:
        """Give up the response and the socket. No thread reads."""
        with self._lock:
            response, self._response = self._response, None
            connection, self._socket = self._socket, None
        if response is not None:
            response.close()
        if connection is not None:
            connection.close()

    def _reason(self, error: urllib.error.HTTPError) -> str:
        """What an endpoint says about a refusal, shortened."""
        try:
            record: Any = json.loads(error.read(_BLOCK))
            said = record["error"]["message"] if isinstance(record["error"], dict) else record["error"]
            return f": {self._endpoint.shown(said)}"
        except (ValueError, KeyError, TypeError, RecursionError, OSError, http.client.HTTPException):
            return ""


class _Post(urllib.request.Request):
    """A request that tells of its connection."""

    def __init__(self, url: str, data: bytes, headers: dict[str, str], connected: _Connected) -> None:
        super().__init__(url, data=data, headers=headers, method="POST")
        self.connected = connected


class _Connection(http.client.HTTPConnection):
    """A connection that tells of its socket when it is made."""

    connected: _Connected

    def connect(self) -> None:
        super().connect()
        self.connected(self.sock)


class _SecureConnection(http.client.HTTPSConnection, _Connection):
    """The same with TLS: `HTTPSConnection.connect` calls the above before it shakes hands."""


def _telling(kind: type[_Connection], connected: _Connected, host: str, **options: Any) -> _Connection:
    connection = kind(host, **options)
    connection.connected = connected
    return connection


class _PlainHandler(urllib.request.HTTPHandler):
    def http_open(self, req: Any) -> Any:
        return self.do_open(partial(_telling, _Connection, req.connected), req)


class _SecureHandler(urllib.request.HTTPSHandler):
    def __init__(self) -> None:
        self._tls = ssl.create_default_context()
        self._tls.set_alpn_protocols(["http/1.1"])
        super().__init__(context=self._tls)

    def https_open(self, req: Any) -> Any:
        return self.do_open(partial(_telling, _SecureConnection, req.connected), req, context=self._tls)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Redirects are refused: the key and the texts are for one address only."""

    def redirect_request(self, *_: Any) -> None:
        return None


@cache
def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_NoRedirects, _PlainHandler, _SecureHandler)


def _shut_down(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # it is down already
        return


def _why(error: Exception, timeout_s: float) -> str:
    """Why a request failed, without what was sent."""
    reason = getattr(error, "reason", None)
    cause = reason if isinstance(reason, Exception) else error
    if isinstance(cause, TimeoutError):
        return f"does not answer within {timeout_s:g} s"
    if isinstance(cause, http.client.RemoteDisconnected):
        return "closes the connection without an answer"
    if isinstance(cause, ssl.SSLError):
        said = getattr(cause, "verify_message", None) or cause.reason or "no TLS"
        return f"cannot be asked: {said.lower().replace('_', ' ')}"
    number = getattr(cause, "errno", None) or 0
    said = os.strerror(number) if number > 0 else str(getattr(cause, "strerror", None) or type(cause).__name__)
    return f"cannot be asked: {said.lower()}"
