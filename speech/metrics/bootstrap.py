"""How sure a figure is, and whether two systems differ: resampling of utterances (Bisani and Ney 2004)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from speech.errors import DataError

RESAMPLES = 1000
_BLOCK = 100


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure of a corpus and where it lies with 95 % confidence."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """Of a second system from a first, on the same utterances."""

    value: float
    """Second minus first."""
    low: float
    high: float
    """95 % confidence."""
    p: float
    """Two-sided: how often a difference as large would come about between systems that are equally good."""


def interval(numerators: np.ndarray, denominators: np.ndarray, seed: int = 1, resamples: int = RESAMPLES) -> Interval:
    """Of a ratio of sums over utterances, such as errors per word; with ones as denominators, of a mean.

    Args:
        numerators, denominators: `(utterances,)`.

    Raises:
        DataError: if there is nothing to resample.
    """
    _checked(numerators, denominators)
    drawn = _ratios(numerators[None], denominators, seed, resamples)[0]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(float(numerators.sum() / denominators.sum()), float(low), float(high))


def difference(
    first: np.ndarray, second: np.ndarray, denominators: np.ndarray, seed: int = 1, resamples: int = RESAMPLES
) -> Difference:
    """Of two systems' ratios: the same utterances are drawn for both.

    The p-value is that of the bootstrap: the share of resamples whose difference, moved to have a mean of zero, is at
    least as large as the one found; at least 1 / (resamples + 1).

    Args:
        first, second: numerators of each system, `(utterances,)`.

    Raises:
        DataError: if there is nothing to resample, or the systems have different numbers of utterances.
    """
    _checked(first, denominators)
    _checked(second, denominators)
    drawn = _ratios(np.stack([first, second]), denominators, seed, resamples)
    differences = drawn[1] - drawn[0]
    value = float((second.sum() - first.sum()) / denominators.sum())
    low, high = np.quantile(differences, [0.025, 0.975])
    as_large = int(np.sum(np.abs(differences - value) >= abs(value) - 1e-12))
    return Difference(value, float(low), float(high), min((as_large + 1) / (resamples + 1), 1.0))


def _ratios(numerators: np.ndarray, denominators: np.ndarray, seed: int, resamples: int) -> np.ndarray:
    """`(systems, resamples)`, of `numerators` `(systems, utterances)`; resamples without any unit are drawn as 0."""
    rng = np.random.default_rng(seed)
    count = len(denominators)
    parts = []
    for begin in range(0, resamples, _BLOCK):  # bounded memory
        drawn = rng.integers(0, count, (min(_BLOCK, resamples - begin), count))
        total = denominators[drawn].sum(axis=1)
        parts.append(numerators[:, drawn].sum(axis=2) / np.maximum(total, 1e-12))
    return np.concatenate(parts, axis=1)


def _checked(numerators: np.ndarray, denominators: np.ndarray) -> None:
    if len(numerators) != len(denominators):
        raise DataError(f"{len(numerators)} utterances against {len(denominators)}")
    if not denominators.sum() > 0:
        raise DataError("no units to resample")
