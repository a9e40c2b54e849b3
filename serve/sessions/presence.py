"""Presence of a session's client, and the token with which it can resume."""

from __future__ import annotations

import secrets

from serve.protocols import wire
from serve.sessions.options import Refused


class Presence:
    """Presence of one session's client. Times `now` are in seconds of any monotonic clock.

    Args:
        idle_s: how long the client may be silent.
        now: the current time.

    Attributes:
        token: required by `resume`, and replaced by each resume. The previous token stays valid until the client sends
            something on the new connection, which may break before the new token arrives.
    """

    def __init__(self, idle_s: float, now: float) -> None:
        self.token = secrets.token_urlsafe(24)
        self._old_token = ""
        self._idle_s, self._heard_now = idle_s, now

    def heard(self, now: float) -> None:
        """The client has sent something, so it has the token of this connection."""
        self._heard_now = now
        self._old_token = ""

    def not_listened_to(self, now: float) -> None:
        """Restart the idle time: the server itself was not reading from the client."""
        self._heard_now = now

    def idle(self, now: float) -> bool:
        """Whether the client has sent nothing for too long."""
        return now - self._heard_now > self._idle_s

    def check(self, token: str) -> None:
        """Raises Refused if the token is not valid."""
        known = (self.token, self._old_token) if self._old_token else (self.token,)
        if not any(secrets.compare_digest(token.encode(), one.encode()) for one in known):
            raise Refused("unknown_session", "no such session", wire.CloseCode.unknown_session)

    def back(self, token: str, now: float) -> None:
        """The client has resumed with a valid token; issue a new one."""
        self._old_token, self.token = token, secrets.token_urlsafe(24)
        self._heard_now = now
