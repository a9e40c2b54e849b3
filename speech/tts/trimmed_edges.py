"""Speech without the silence before its first sound and behind its last."""

from __future__ import annotations

import numpy as np

AUDIBLE = 0.01
"""Smallest sample that is heard: -40 dB of full scale."""


class TrimmedEdges:
    """One utterance; each piece is given on as soon as a later sound makes it certain.

    Args:
        sample_rate: Hz.
        lead_s: silence that stays before the first sound.
        tail_s: silence that stays behind the last.

    Attributes:
        dropped: samples that were left out before the first sound.
    """

    def __init__(self, sample_rate: int, lead_s: float = 0.03, tail_s: float = 0.1) -> None:
        self._lead, self._tail = round(lead_s * sample_rate), round(tail_s * sample_rate)
        self._quiet = np.zeros(0, np.float32)
        """Samples since the last sound, of which it is not known whether another follows."""
        self._begun, self.dropped = False, 0

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Take samples `(n,)` float32; returns those up to the last sound, `(m,)`."""
        waiting = np.concatenate([self._quiet, samples])
        loud = np.flatnonzero(np.abs(waiting) >= AUDIBLE)
        if not len(loud):
            self._quiet = waiting
            return waiting[:0]
        if not self._begun:
            self._begun, cut = True, max(int(loud[0]) - self._lead, 0)
            waiting, self.dropped = waiting[cut:], cut
            loud = loud - cut
        end = int(loud[-1]) + 1
        self._quiet = waiting[end:]
        return waiting[:end]

    def end(self) -> np.ndarray:
        """The silence behind the last sound, at most `tail_s`; none where there was no sound."""
        return self._quiet[: self._tail] if self._begun else self._quiet[:0]
