"""Decides when chunks are stepped: waits briefly to batch several sessions, and halves chunks if there is time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from speech.stream.slot import Slot

_FINE, _COARSE = 0.25, 0.5
"""Load, as the share of time spent on chunks: half chunks start below the first value and stop at the second."""
_SHARE_S = 1.5
"""Time constant of the load average, in seconds."""
_PATIENCE_S = 0.06
"""Maximum wait of a chunk for chunks of other sessions, in seconds: a batch loads the weights only once."""
_COMPANY = 4
"""No wait if at least one in this many sessions has a chunk ready."""


class Pacing:
    """Pacing of one engine thread.

    Args:
        clock: returns monotonic seconds.

    Attributes:
        fine: whether half chunks are used.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._measured = clock()
        self._share = 0.0
        self.fine = False

    def measure(self, seconds: float) -> None:
        """Record the seconds spent on chunks in this round, and update `fine`."""
        now = self._clock()
        kept = math.exp((self._measured - now) / _SHARE_S)
        self._measured = now
        self._share = self._share * kept + seconds / _SHARE_S
        self.fine = self._share < (_COARSE if self.fine else _FINE)

    def together(self, ready: Sequence[Slot], slots: Sequence[Slot]) -> list[Slot]:
        """Return the slots to step now: all of `ready`, or none if it pays to wait for more of `slots`."""
        now = self._clock()
        for slot in slots:
            slot.ready_at = (slot.ready_at or now) if slot in ready else None
        if len(ready) * _COMPANY >= len(slots) or now >= _deadline(ready):
            return list(ready)
        return []

    def patience(self, slots: Sequence[Slot]) -> float | None:
        """Seconds until the deadline of the longest-waiting chunk; None if no chunk waits."""
        left = _deadline(slots) - self._clock()
        return max(left, 0.0) if math.isfinite(left) else None


def _deadline(slots: Sequence[Slot]) -> float:
    return min((slot.ready_at for slot in slots if slot.ready_at is not None), default=math.inf) + _PATIENCE_S
