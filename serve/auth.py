"""Who may connect: API keys, short-lived tokens for browsers, web origins."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from serve.config import ServeConfig

_LONGEST_S = 600
_SCHEMES = ("bearer", "token")
_PROTOCOL_PREFIXES = ("bearer.", "openai-insecure-api-key.")


@dataclass(frozen=True, slots=True)
class Denied:
    """Why a connection is refused."""

    status: int
    code: str
    message: str


class Gate:
    """Checks requests. Keys are kept hashed and compared in constant time."""

    def __init__(self, config: ServeConfig) -> None:
        self._keys = [_hash(key) for key in config.api_keys]
        self._origins = {origin.rstrip("/").lower() for origin in config.origins}
        self._secret = _signing_key(self._keys)

    def check(self, headers: Mapping[str, str], query: Mapping[str, str]) -> Denied | None:
        """None if the request may pass."""
        origin = headers.get("origin")
        if origin is not None and not self._own(origin, headers.get("host", "")):
            return Denied(403, "origin", f"pages of {origin} may not connect here")
        if not self._keys:
            return None
        given = _credentials(headers)
        if given is not None and (self._is_key(given) or self._is_secret(given)):
            return None
        if self._is_secret(query.get("token", "")):  # never a key: addresses end up in logs
            return None
        if given is None:
            return Denied(401, "unauthorized", "give an API key: Authorization: Bearer KEY")
        return Denied(401, "unauthorized", "the API key or token is unknown or has expired")

    def has_key(self, headers: Mapping[str, str]) -> bool:
        """Whether a key comes along, which tokens are not; true where no keys are asked for."""
        given = _credentials(headers)
        return not self._keys or (given is not None and self._is_key(given))

    def client_secret(self, seconds: float) -> tuple[str, int]:
        """A token for a browser, and when it expires (seconds since 1970); at most ten minutes from now."""
        expires = int(time.time() + min(max(seconds, 1), _LONGEST_S))
        body = f"{expires}.{secrets.token_urlsafe(9)}"
        return f"ek_{body}.{self._sign(body)}", expires

    def _own(self, origin: str, host: str) -> bool:
        if "*" in self._origins or origin.rstrip("/").lower() in self._origins:
            return True
        try:
            return urlsplit(origin).netloc.lower() == host.lower()
        except ValueError:  # no address at all
            return False

    def _is_key(self, given: str) -> bool:
        digest = _hash(given)
        return sum(hmac.compare_digest(digest, key) for key in self._keys) > 0  # all are compared, whichever fits

    def _is_secret(self, given: str) -> bool:
        body, _, signature = given.removeprefix("ek_").rpartition(".")
        same = hmac.compare_digest(self._sign(body).encode(), signature.encode("utf-8", "replace"))
        if not given.startswith("ek_") or not same:
            return False
        return int(body.partition(".")[0]) >= time.time()

    def _sign(self, body: str) -> str:
        digest = hmac.digest(self._secret, body.encode("utf-8", "replace"), "sha256")
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def subprotocols(headers: Mapping[str, str]) -> Sequence[str]:
    """What a websocket client offers."""
    return [part.strip() for part in headers.get("sec-websocket-protocol", "").split(",") if part.strip()]


def _credentials(headers: Mapping[str, str]) -> str | None:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() in _SCHEMES and given:
        return given.strip()
    if "x-api-key" in headers:
        return headers["x-api-key"]
    offered = subprotocols(headers)
    for name in offered:
        for prefix in _PROTOCOL_PREFIXES:
            if name.startswith(prefix):
                return name.removeprefix(prefix)
    if len(offered) == 2 and offered[0].lower() == "token":  # Deepgram's pages
        return offered[1]
    return None


def _signing_key(keys: Sequence[bytes]) -> bytes:
    """Of tokens: the same for all workers that have the same keys. Slow, as tokens are seen by strangers."""
    return hashlib.scrypt(b"".join(sorted(keys)), salt=b"speech client secrets", n=2**14, r=8, p=1, dklen=32)


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()
