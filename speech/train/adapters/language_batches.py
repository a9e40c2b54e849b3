"""Monolingual batches, with the languages in turn."""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from speech.data.batches import SpeechBatch, TrainBatches
from speech.errors import ConfigError


class LanguageBatches:
    """Batches of several languages: batch n is of language n mod L.

    Each language goes through its own epochs, as if it were trained alone.

    Args:
        parts: batches of each language.
        variants: number of different epochs; later ones repeat their batches in another order, so that results for a
            batch can be cached.

    Raises:
        ConfigError: if a language has no batch.
    """

    def __init__(self, parts: Sequence[TrainBatches], variants: int) -> None:
        self._parts, self._variants = parts, variants
        self._starts: list[list[int]] = [[0] for _ in parts]
        for part in parts:
            if not part.size(0):
                raise ConfigError("a language has no batch to train on", fix="Raise data.batches.max_s, or give more.")

    def size(self, epoch: int) -> int:
        """Without end: `sys.maxsize`."""
        return sys.maxsize

    def batch(self, epoch: int, index: int) -> SpeechBatch:
        """Batch `index`; deterministic. `epoch` is always 0."""
        number, place = divmod(index, len(self._parts))
        part, starts = self._parts[place], self._starts[place]
        while starts[-1] <= number:
            starts.append(starts[-1] + part.size((len(starts) - 1) % self._variants))
        own = bisect_right(starts, number) - 1
        order = np.random.default_rng(own).permutation(starts[own + 1] - starts[own])
        return part.batch(own % self._variants, int(order[number - starts[own]]))
