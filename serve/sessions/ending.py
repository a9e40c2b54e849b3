"""How a session ends, and how its connection is closed then."""

from __future__ import annotations

from collections.abc import Sequence

from serve.protocols import wire
from serve.sessions.engine_requests import EngineRequests
from serve.sessions.event_messages import EventMessages
from serve.sessions.outbox import Outbox
from serve.sessions.scoring import Scoring


class Ending:
    """The end of one session.

    Args:
        outbox: takes the last messages.
        requests: to the engine; dropped if the session fails.
        events: writes `end`.
        scoring: may delay the end, until its last scores are sent.

    Attributes:
        stopping: why no more audio will come; "": more may come.
        saying: translations are still said, which delays the end.
        ended: the last message is in the outbox.
        closing: close code and reason, once the outbox is empty.
    """

    def __init__(self, outbox: Outbox, requests: EngineRequests, events: EventMessages, scoring: Scoring) -> None:
        self._outbox, self._requests, self._events, self._scoring = outbox, requests, events, scoring
        self._finished = False
        self.stopping = ""
        self.saying = False
        self.ended = False
        self.closing: tuple[wire.CloseCode, str] | None = None

    @property
    def all_heard(self) -> bool:
        """Whether the engine has finished all work."""
        return self._finished

    def finished(self) -> None:
        """The engine has finished all work; end the session once the scores are sent and translations are said."""
        self._events.score_total()
        self._finished = True
        self._end_if_all_is_said()

    def scored(self, messages: Sequence[wire.ServerMessage]) -> None:
        """Send the messages of a run of `scoring`, in order."""
        self._scoring.done()
        for message in messages:
            self._outbox.put(message)
        self._end_if_all_is_said()

    def said(self) -> None:
        """All translations have been said."""
        self.saying = False
        self._end_if_all_is_said()

    def fail(self, code: str, message: str, close: wire.CloseCode) -> None:
        """Send a fatal error and end the session."""
        if self.ended:
            return
        again = close < wire.CloseCode.bad_message
        self._outbox.put(wire.Error(seq=1, code=code, message=message, fatal=True, retryable=again))
        self.ended = True
        self._requests.work.clear()
        self.closing = (close, f"{code}: {message}")

    def crashed(self) -> None:
        """End the session after an internal error."""
        self.fail("internal", "the recogniser failed; reconnect and start anew", wire.CloseCode.internal)

    def stalled(self, *, too_fast: bool) -> None:
        """End a session that has been full for too long. A client that sends in real time may retry."""
        if too_fast:
            self.fail("too_fast", "audio came faster than it could be processed", wire.CloseCode.too_fast)
        else:
            self.fail("overloaded", "the server could not keep up; try again later", wire.CloseCode.overloaded)

    def _end_if_all_is_said(self) -> None:
        if not self._finished or self._scoring.busy or self.saying or self.ended:
            return
        self._events.end(self.stopping)
        self.ended = True
        self.closing = (wire.CloseCode.done, "done")
