"""Pauses of an utterance, by voice activity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Pauses:
    """Where nothing is said between the first speech of an utterance and the last."""

    speaking_s: float
    """From the first speech to the last, pauses included; 0 if there is none."""
    lengths_s: tuple[float, ...]
    """In order; none is shorter than `speech.audio.vad.MIN_SILENCE_S`."""

    @property
    def share(self) -> float:
        """Of the time from the first speech to the last."""
        return sum(self.lengths_s) / self.speaking_s if self.speaking_s else 0.0

    @property
    def longest_s(self) -> float:
        """0 without a pause."""
        return max(self.lengths_s, default=0.0)


def pauses_of(segments: Sequence[tuple[float, float]]) -> Pauses:
    """The pauses between speech segments `(start_s, end_s)`, ordered and disjoint, as `speech.audio.vad.unpadded` finds
    them."""
    if not segments:
        return Pauses(0.0, ())
    lengths = tuple(after[0] - before[1] for before, after in pairwise(segments))
    return Pauses(segments[-1][1] - segments[0][0], lengths)
