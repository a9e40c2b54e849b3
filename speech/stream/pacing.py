"""When chunks are stepped, by a clock: together where it pays to wait for others, halved where there is time for it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from speech.stream.slot import Slot

_FINE, _COARSE = 0.25, 0.5
"""Share of the time that chunks may take for half chunks to begin, and from which they end."""
_SHARE_S = 1.5
"""Over about so long it is measured."""
_PATIENCE_S = 0.06
"""A chunk waits so long for those of other sessions: weights are fetched once for all of them."""
_COMPANY = 4
"""It does not wait where one in so many sessions has one."""


class Pacing:
    """Of one engine's thread.

    Args:
        clock: seconds of any steady clock.

    Attributes:
        fine: whether half a chunk is enough.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._measured = clock()
        self._share = 0.0
        self.fine = False

    def measure(self, seconds: float) -> None:
        """So long the chunks have taken that were stepped now: they are halved while there is time for it."""
        now = self._clock()
        kept = math.exp((self._measured - now) / _SHARE_S)
        self._measured = now
        self._share = self._share * kept + seconds / _SHARE_S
        self.fine = self._share < (_COARSE if self.fine else _FINE)

    def together(self, ready: Sequence[Slot], slots: Sequence[Slot]) -> list[Slot]:
        """Those to be stepped now: all that are `ready`, or none, if it pays to wait for more of the `slots`."""
        now = self._clock()
        for slot in slots:
            slot.ready_at = (slot.ready_at or now) if slot in ready else None
        if len(ready) * _COMPANY >= len(slots) or now >= _deadline(ready):
            return list(ready)
        return []

    def patience(self, slots: Sequence[Slot]) -> float | None:
        """Seconds until a chunk has waited long enough; None if none waits."""
        left = _deadline(slots) - self._clock()
        return max(left, 0.0) if math.isfinite(left) else None


def _deadline(slots: Sequence[Slot]) -> float:
    return min((slot.ready_at for slot in slots if slot.ready_at is not None), default=math.inf) + _PATIENCE_S
