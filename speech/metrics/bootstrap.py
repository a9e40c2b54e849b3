"""How sure a figure is, and whether two systems differ: resampling of utterances (Bisani and Ney 2004)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from speech.errors import DataError

RESAMPLES = 1000
SEED = 1


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


def ratios(
    numerators: np.ndarray, denominators: np.ndarray, seed: int = SEED, resamples: int = RESAMPLES
) -> list[Interval | None]:
    """Of ratios of sums over utterances, such as errors per word; with ones as denominators, of means.

    Args:
        numerators, denominators: `(utterances, ratios)`.

    Returns:
        For each ratio its interval, None where it has no units.

    Raises:
        DataError: if the two differ in shape.
    """
    _same(numerators, denominators)
    tops, bottoms = _resampled([numerators, denominators], seed, resamples)
    return [
        _interval(float(top.sum() / bottom.sum()), drawn) if bottom.sum() > 0 else None
        for top, bottom, drawn in zip(numerators.T, denominators.T, _divided(tops, bottoms).T, strict=True)
    ]


def differences(
    first: np.ndarray, second: np.ndarray, denominators: np.ndarray, seed: int = SEED, resamples: int = RESAMPLES
) -> list[Difference | None]:
    """Of two systems' ratios: the same utterances are drawn for both.

    The p-value is that of the bootstrap: the share of resamples whose difference, moved to have a mean of zero, is at
    least as large as the one found; at least 1 / (resamples + 1).

    Args:
        first, second: numerators of each system, `(utterances, ratios)`.
        denominators: the same for both.

    Returns:
        For each ratio how it differs, None where it has no units.

    Raises:
        DataError: if shapes differ.
    """
    _same(first, denominators)
    _same(second, denominators)
    one, other, bottoms = _resampled([first, second, denominators], seed, resamples)
    drawn = _divided(other - one, bottoms)
    found: list[Difference | None] = []
    for column, bottom in enumerate(denominators.sum(axis=0)):
        if not bottom > 0:
            found.append(None)
            continue
        value = float((second[:, column].sum() - first[:, column].sum()) / bottom)
        sure = _interval(value, drawn[:, column])
        as_large = int(np.sum(np.abs(drawn[:, column] - value) >= abs(value) - 1e-12))
        found.append(Difference(value, sure.low, sure.high, min((as_large + 1) / (resamples + 1), 1.0)))
    return found


def _resampled(columns: list[np.ndarray], seed: int, resamples: int) -> list[np.ndarray]:
    """Sums over drawn utterances, `(resamples, ratios)`, of each `(utterances, ratios)`."""
    rng = np.random.default_rng(seed)
    count, together = len(columns[0]), np.concatenate(columns, axis=1)
    sums = np.zeros((resamples, together.shape[1]))
    for row in range(resamples if count else 0):
        times = np.bincount(rng.integers(0, count, count), minlength=count)
        sums[row] = times @ together
    return np.split(sums, len(columns), axis=1)


def _divided(tops: np.ndarray, bottoms: np.ndarray) -> np.ndarray:
    """Resamples without any unit count as 0."""
    return np.divide(tops, bottoms, out=np.zeros_like(tops), where=bottoms > 0)


def _interval(value: float, drawn: np.ndarray) -> Interval:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(value, float(low), float(high))


def _same(one: np.ndarray, other: np.ndarray) -> None:
    if one.shape != other.shape:
        raise DataError(f"figures of {one.shape} against {other.shape} (utterances, ratios)")
