"""Confidence intervals and significance tests by bootstrap over utterances (Bisani and Ney 2004)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from speech.errors import DataError

RESAMPLES = 1000
SEED = 1


@dataclass(frozen=True, slots=True)
class Interval:
    """A corpus-level figure with its 95 % confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """Difference between two systems on the same utterances."""

    value: float
    """Second minus first."""
    low: float
    high: float
    """`low` and `high` are the bounds of the 95 % confidence interval."""
    p: float
    """Two-sided p-value: probability of a difference at least this large between equally good systems."""


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A corpus-level figure computed from sums over utterances that is not a ratio of two sums, such as BLEU."""

    sums: np.ndarray
    """Statistics of each utterance, `(utterances, columns)`."""
    of: Callable[[np.ndarray], float]
    """Computes the figure from a row of sums, `(columns,)`."""
    each: tuple[float | None, ...]
    """Value per utterance; None where undefined."""
    signature: str = ""
    """Values are comparable only if their signatures are equal."""

    def over(self, places: Sequence[int]) -> float | None:
        """The figure over a subset of the utterances; None if it is undefined for all of them."""
        if all(self.each[place] is None for place in places):
            return None
        return self.of(self.sums[list(places)].sum(axis=0))


def ratios(
    numerators: np.ndarray, denominators: np.ndarray, seed: int = SEED, resamples: int = RESAMPLES
) -> list[Interval | None]:
    """Confidence intervals of ratios of sums over utterances, such as errors per word.

    Denominators of ones give means.

    Args:
        numerators: `(utterances, ratios)`.
        denominators: `(utterances, ratios)`.

    Returns:
        The interval of each ratio; None where the denominators sum to 0.

    Raises:
        DataError: if the two shapes differ.
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
    """Paired bootstrap of two systems' ratios: the same utterances are drawn for both.

    The p-value is the share of resamples whose difference, centred at zero, is at least as large as the observed one;
    it is at least 1 / (resamples + 1).

    Args:
        first: numerators of the first system, `(utterances, ratios)`.
        second: numerators of the second system, same shape.
        denominators: shared by both systems, same shape.

    Returns:
        The difference of each ratio; None where the denominators sum to 0.

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
        found.append(_difference(value, drawn[:, column]))
    return found


def figure_interval(figure: Figure, seed: int = SEED, resamples: int = RESAMPLES) -> Interval | None:
    """Confidence interval of a figure, as `ratios`; None if no utterance has a value."""
    value = figure.over(range(len(figure.each)))
    if value is None:
        return None
    (drawn,) = _resampled([figure.sums], seed, resamples)
    return _interval(value, np.array([figure.of(row) for row in drawn]))


def figure_difference(first: Figure, second: Figure, seed: int = SEED, resamples: int = RESAMPLES) -> Difference | None:
    """Difference of two systems' figures, as `differences`; None if one system has no value.

    Raises:
        DataError: if the shapes of the sums differ, e.g. in the number of utterances.
    """
    _same(first.sums, second.sums)
    values = [one.over(range(len(one.each))) for one in (first, second)]
    if values[0] is None or values[1] is None:
        return None
    ones, others = _resampled([first.sums, second.sums], seed, resamples)
    pairs = zip(ones, others, strict=True)
    return _difference(values[1] - values[0], np.array([second.of(other) - first.of(one) for one, other in pairs]))


def _resampled(columns: list[np.ndarray], seed: int, resamples: int) -> list[np.ndarray]:
    """Sums over resampled utterances, `(resamples, ratios)`, for each `(utterances, ratios)` array."""
    rng = np.random.default_rng(seed)
    count, together = len(columns[0]), np.concatenate(columns, axis=1)
    sums = np.zeros((resamples, together.shape[1]))
    for row in range(resamples if count else 0):
        times = np.bincount(rng.integers(0, count, count), minlength=count)
        sums[row] = times @ together
    return np.split(sums, len(columns), axis=1)


def _divided(tops: np.ndarray, bottoms: np.ndarray) -> np.ndarray:
    """Ratios; 0 for resamples with a denominator of 0."""
    return np.divide(tops, bottoms, out=np.zeros_like(tops), where=bottoms > 0)


def _interval(value: float, drawn: np.ndarray) -> Interval:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(value, float(low), float(high))


def _difference(value: float, drawn: np.ndarray) -> Difference:
    sure = _interval(value, drawn)
    as_large = int(np.sum(np.abs(drawn - value) >= abs(value) - 1e-12))
    return Difference(value, sure.low, sure.high, min((as_large + 1) / (len(drawn) + 1), 1.0))


def _same(one: np.ndarray, other: np.ndarray) -> None:
    if one.shape != other.shape:
        raise DataError(f"figures of {one.shape} against {other.shape} (utterances, ratios)")
