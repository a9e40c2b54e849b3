"""Access control: API keys, short-lived tokens for web pages, allowed origins and host names."""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from serve.config import ServeConfig
from serve.net.hosts import AllowedHosts
from serve.protocols.close_codes import CloseCode

_LONGEST_S = 600
_SCHEMES = ("bearer", "token")
_PROTOCOL_PREFIXES = ("bearer.", "openai-insecure-api-key.")
_SHOWN = 80
_CLOSES = {401: CloseCode.unauthorized, 403: CloseCode.forbidden, 503: CloseCode.overloaded}


@dataclass(frozen=True, slots=True)
class Denial:
    """A refused connection: HTTP status, error code and message."""

    status: int
    code: str
    message: str

    @property
    def close(self) -> CloseCode:
        """What closes the websocket of a page, which cannot read the status of a refused handshake."""
        return _CLOSES.get(self.status, CloseCode.bad_message)


class Authenticator:
    """Checks whether requests may pass. Keys are stored hashed and compared in constant time.

    A key grants everything. A token, which a page gets from its own backend, grants websockets only: it cannot create
    tokens, transcribe files or change adapters.
    """

    def __init__(self, config: ServeConfig) -> None:
        self._keys = [_hash(key) for key in config.api_keys]
        self._origins = {origin.rstrip("/").lower() for origin in config.origins}
        self._hosts = AllowedHosts(config.host, config.allowed_hosts)
        self._secret = _signing_key(self._keys)

    def check(self, headers: Mapping[str, str], query: Mapping[str, str], *, returning: bool = False) -> Denial | None:
        """Return None if a websocket may be opened, otherwise the reason.

        Args:
            headers: of the request.
            query: parameters of its URL.
            returning: the client resumes an existing session. An expired token is then enough, because the session
                has a token of its own.
        """
        denied = self._misled(headers)
        if denied is not None:
            return denied
        until = self.until(headers, query)
        if until > time.time() or (returning and until > 0):
            return None
        return _unknown(headers)

    def check_http(self, headers: Mapping[str, str]) -> Denial | None:
        """Return None if an HTTP request may pass, otherwise the reason. A token is not enough."""
        denied = self._misled(headers)
        if denied is not None or self.has_key(headers):
            return denied
        if self.until(headers, {}) > time.time():
            return Denial(403, "forbidden", "a token opens websockets only; this takes an API key")
        return _unknown(headers)

    def has_key(self, headers: Mapping[str, str]) -> bool:
        """Whether the request carries a valid API key (tokens do not count); true if no keys are configured."""
        given = _credentials(headers)
        return not self._keys or (given is not None and self._is_key(given))

    def until(self, headers: Mapping[str, str], query: Mapping[str, str]) -> float:
        """Unix time until which a session may start: infinity with a key, 0 without key or token."""
        if self.has_key(headers):
            return math.inf
        # The URL may carry a token but never a key: URLs end up in logs.
        return max(self._expiry(_credentials(headers) or ""), self._expiry(query.get("token", "")))

    def client_secret(self, seconds: float) -> tuple[str, int]:
        """Create a token for a page; returns the token and its expiry in Unix seconds, at most ten minutes from now."""
        expires = int(time.time() + min(max(seconds, 1), _LONGEST_S))
        body = f"{expires}.{secrets.token_urlsafe(9)}"
        return f"ek_{body}.{self._sign(body)}", expires

    def _misled(self, headers: Mapping[str, str]) -> Denial | None:
        """Refuse a foreign origin, and a foreign host name unless the client has a key and is no page."""
        host, origin = headers.get("host", ""), headers.get("origin")
        # A client with a key that is no page may use any host name: a rebound page has no key.
        trusted = bool(self._keys) and origin is None and self.has_key(headers)
        if host and not trusted and not self._hosts.knows(host):  # every browser sends Host
            text = f"this server is not known as {host[:_SHOWN]!r}; if it is to be, add that name to allowed_hosts"
            return Denial(403, "host", f"{text} (SPEECH_ALLOWED_HOSTS)")
        if origin is not None and not self._own(origin, host):
            text = f"pages of {origin[:_SHOWN]!r} may not connect here; if they are to, add it to origins"
            return Denial(403, "origin", f"{text} (SPEECH_ORIGINS)")
        return None

    def _own(self, origin: str, host: str) -> bool:
        if "*" in self._origins or origin.rstrip("/").lower() in self._origins:
            return True
        try:
            return urlsplit(origin).netloc.lower() == host.lower()
        except ValueError:  # not a URL
            return False

    def _is_key(self, given: str) -> bool:
        digest = _hash(given)
        return sum(hmac.compare_digest(digest, key) for key in self._keys) > 0  # compares all keys, even after a match

    def _expiry(self, given: str) -> float:
        """Expiry of a token in Unix seconds; 0 if this server did not sign it."""
        body, _, signature = given.removeprefix("ek_").rpartition(".")
        same = hmac.compare_digest(self._sign(body).encode(), signature.encode("utf-8", "replace"))
        return float(body.partition(".")[0]) if same and given.startswith("ek_") else 0.0

    def _sign(self, body: str) -> str:
        digest = hmac.digest(self._secret, body.encode("utf-8", "replace"), "sha256")
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def subprotocols(headers: Mapping[str, str]) -> Sequence[str]:
    """Subprotocols that a websocket client offers."""
    return [part.strip() for part in headers.get("sec-websocket-protocol", "").split(",") if part.strip()]


def _unknown(headers: Mapping[str, str]) -> Denial:
    if _credentials(headers) is None:
        return Denial(401, "unauthorized", "give an API key: Authorization: Bearer KEY")
    return Denial(401, "unauthorized", "the API key or token is unknown or has expired")


def _credentials(headers: Mapping[str, str]) -> str | None:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() in _SCHEMES and given:
        return given.strip()
    for name in ("x-api-key", "xi-api-key"):
        if name in headers:
            return headers[name]
    offered = subprotocols(headers)
    for name in offered:
        for prefix in _PROTOCOL_PREFIXES:
            if name.startswith(prefix):
                return name.removeprefix(prefix)
    if len(offered) == 2 and offered[0].lower() == "token":  # web clients of Deepgram
        return offered[1]
    return None


def _signing_key(keys: Sequence[bytes]) -> bytes:
    """Derive the key that signs tokens from the API keys, so workers with the same keys share it.

    scrypt is slow on purpose: a token must not help to guess API keys.
    """
    return hashlib.scrypt(b"".join(sorted(keys)), salt=b"speech client secrets", n=2**14, r=8, p=1, dklen=32)


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()
