"""Requests of a session to the engine, and the answers to its client."""

from __future__ import annotations

from collections import deque

import numpy as np

from serve.protocols import wire
from serve.sessions.options import Prepared
from speech.events import milliseconds
from speech.stream.commands import Change, Done, Finish, Flush, Push, Work


class EngineRequests:
    """Requests of one session.

    Args:
        ready: its first options.

    Attributes:
        work: queued work for the engine, in order; the driver takes it.
        options: in effect once the engine has done all requests.
        unanswered: number of requests that the client waits for.
    """

    def __init__(self, ready: Prepared) -> None:
        self.work: deque[Work] = deque()
        self.options, self._ready = ready.options, ready
        self.unanswered = 0

    def push(self, samples: np.ndarray) -> None:
        """Queue samples `(n,)`, any `n`."""
        if len(samples):
            self.work.append(Push(samples))

    def flush(self, name: str | None) -> None:
        """Request finals of all audio so far; `name` is the id that the client gave."""
        self.unanswered += 1
        self.work.append(Flush(name))

    def change(self, ready: Prepared) -> None:
        """Request a change of the options."""
        before, self.options, self._ready = self.options, ready.options, ready
        self.unanswered += 1
        self.work.append(Change(ready.options, before, ready.kept))

    def finish(self) -> None:
        """Request the end of the stream."""
        self.work.append(Finish())

    def answer(self, done: Done) -> wire.ServerMessage | None:
        """The answer to completed work; None for the last one, `finish`."""
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
