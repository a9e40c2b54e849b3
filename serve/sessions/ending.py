"""Whether a session goes on, and how its connection is closed once it does not."""

from __future__ import annotations

from collections.abc import Sequence

from serve.protocols import wire
from serve.sessions.engine_requests import EngineRequests
from serve.sessions.event_messages import EventMessages
from serve.sessions.outbox import Outbox
from serve.sessions.scoring import Scoring


class Ending:
    """Of one session.

    Args:
        outbox: for what is said last.
        requests: to the engine, which are for nothing once the session has failed.
        events: what makes the last message.
        scoring: what may have more to say.

    Attributes:
        stopping: why no more audio will come; "": more may.
        ended: the last message has been put into the outbox.
        closing: how the connection is to be closed once the outbox is empty.
    """

    def __init__(self, outbox: Outbox, requests: EngineRequests, events: EventMessages, scoring: Scoring) -> None:
        self._outbox, self._requests, self._events, self._scoring = outbox, requests, events, scoring
        self._finished = False
        self.stopping = ""
        self.ended = False
        self.closing: tuple[wire.CloseCode, str] | None = None

    def finished(self) -> None:
        """The engine has done everything."""
        self._events.score_total()
        self._finished = True
        self._end_if_all_is_said()

    def scored(self, messages: Sequence[wire.ServerMessage]) -> None:
        """What came of `scoring`, in order."""
        self._scoring.done()
        for message in messages:
            self._outbox.put(message)
        self._end_if_all_is_said()

    def fail(self, code: str, message: str, close: wire.CloseCode) -> None:
        """Say what is wrong and end."""
        if self.ended:
            return
        again = close < wire.CloseCode.bad_message
        self._outbox.put(wire.Error(seq=1, code=code, message=message, fatal=True, retryable=again))
        self.ended = True
        self._requests.work.clear()
        self.closing = (close, f"{code}: {message}")

    def crashed(self) -> None:
        """The engine could not go on with this session."""
        self.fail("internal", "the recogniser failed; reconnect and start anew", wire.CloseCode.internal)

    def stalled(self, *, too_fast: bool) -> None:
        """End it, as it has been full for too long: who sends audio as it is spoken may try again elsewhere."""
        if too_fast:
            self.fail("too_fast", "audio came faster than it could be processed", wire.CloseCode.too_fast)
        else:
            self.fail("overloaded", "the server could not keep up; try again later", wire.CloseCode.overloaded)

    def _end_if_all_is_said(self) -> None:
        if not self._finished or self._scoring.busy or self.ended:
            return
        self._events.end(self.stopping)
        self.ended = True
        self.closing = (wire.CloseCode.done, "done")
