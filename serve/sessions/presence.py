"""Whether a session's client is there, and the token by which it can come back."""

from __future__ import annotations

import secrets

from serve.protocols import wire
from serve.sessions.options import Refused


class Presence:
    """Of one session's client. Times `now` are seconds of any steady clock.

    Args:
        idle_s: it may say nothing for so long.
        now: the time.

    Attributes:
        token: what `resume` has to name; it changes with each resume. The one before is good until the client is heard
            on the new connection: that may break before the new token arrives.
    """

    def __init__(self, idle_s: float, now: float) -> None:
        self.token = secrets.token_urlsafe(24)
        self._old_token = ""
        self._idle_s, self._heard_now = idle_s, now

    def heard(self, now: float) -> None:
        """The client is there, and has the token of this connection."""
        self._heard_now = now
        self._old_token = ""

    def not_listened_to(self, now: float) -> None:
        """It could not be heard up to now: it was we who did not listen."""
        self._heard_now = now

    def idle(self, now: float) -> bool:
        """Whether it has said nothing for too long."""
        return now - self._heard_now > self._idle_s

    def check(self, token: str) -> None:
        """Whether who says this is the client. Raises Refused if not."""
        known = (self.token, self._old_token) if self._old_token else (self.token,)
        if not any(secrets.compare_digest(token.encode(), one.encode()) for one in known):
            raise Refused("unknown_session", "no such session", wire.CloseCode.unknown_session)

    def back(self, token: str, now: float) -> None:
        """It has come back with a token that holds, and gets another."""
        self._old_token, self.token = token, secrets.token_urlsafe(24)
        self._heard_now = now
