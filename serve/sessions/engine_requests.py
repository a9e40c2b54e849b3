"""What a session asks of the engine, and what its client is told once that has been carried out."""

from __future__ import annotations

from collections import deque

import numpy as np

from serve.protocols import wire
from serve.sessions.options import Prepared
from speech.events import milliseconds
from speech.stream.commands import Change, Done, Finish, Flush, Push, Work


class EngineRequests:
    """Of one session.

    Args:
        ready: what it may do at first.

    Attributes:
        work: what the engine has to do, in order; to be taken away.
        options: that hold once the engine has got to them.
        unanswered: requests for which the client waits.
    """

    def __init__(self, ready: Prepared) -> None:
        self.work: deque[Work] = deque()
        self.options, self._ready = ready.options, ready
        self.unanswered = 0

    def push(self, samples: np.ndarray) -> None:
        """Audio `(n,)`, any `n`."""
        if len(samples):
            self.work.append(Push(samples))

    def flush(self, name: str | None) -> None:
        """Finals for all audio so far, by the name that the client has given it."""
        self.unanswered += 1
        self.work.append(Flush(name))

    def change(self, ready: Prepared) -> None:
        """Other options."""
        before, self.options, self._ready = self.options, ready.options, ready
        self.unanswered += 1
        self.work.append(Change(ready.options, before, ready.kept))

    def finish(self) -> None:
        """No more audio."""
        self.work.append(Finish())

    def answer(self, done: Done) -> wire.ServerMessage | None:
        """What the client is told of work that has been carried out; None of the last, `finish`."""
        if not isinstance(done.work, Flush | Change):
            return None
        self.unanswered -= 1
        at_ms = milliseconds(done.at_s)
        if isinstance(done.work, Flush):
            return wire.Finalized(seq=1, id=done.work.id, at_ms=at_ms)
        if done.refused is None:
            return wire.Updated(seq=1, from_ms=at_ms)
        if self.options is done.work.options:
            self.options = done.work.before
        return wire.Error(seq=1, code="bad_config", message=str(done.refused), fatal=False, retryable=False)
