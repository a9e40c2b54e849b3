"""How sure a figure is, and whether two systems differ: resampling of utterances (Bisani and Ney 2004)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A figure of a corpus that follows from sums over its utterances, as BLEU does, but is no ratio of two."""

    sums: np.ndarray
    """`(utterances, columns)`, what is added up."""
    of: Callable[[np.ndarray], float]
    """The figure for a row of sums."""
    each: tuple[float | None, ...]
    """Of each utterance; None where it has none."""
    signature: str = ""
    """What has to be equal for two values to be comparable."""

    def over(self, places: Sequence[int]) -> float | None:
        """Of some of the utterances; None if none of them has it."""
        if all(self.each[place] is None for place in places):
            return None
        return self.of(self.sums[list(places)].sum(axis=0))


def ratios(
    numerators: np.ndarray, denominators: np.ndarray, seed: int = SEED, resamples: int = RESAMPLES
) -> list[Interval | None]:
    """Of ratios of sums over utterances, such as errors per word; with ones as denominators, of means.

    Args:
        numerators: `(utterances, ratios)`.
        denominators: `(utterances, ratios)`.

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
        first: numerators of one system, `(utterances, ratios)`.
        second: those of the other.
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
        found.append(_difference(value, drawn[:, column]))
    return found


def figure_interval(figure: Figure, seed: int = SEED, resamples: int = RESAMPLES) -> Interval | None:
    """As `ratios`, of what is no ratio; None if no utterance has it."""
    value = figure.over(range(len(figure.each)))
    if value is None:
        return None
    (drawn,) = _resampled([figure.sums], seed, resamples)
    return _interval(value, np.array([figure.of(row) for row in drawn]))


def figure_difference(first: Figure, second: Figure, seed: int = SEED, resamples: int = RESAMPLES) -> Difference | None:
    """As `differences`, of what is no ratio; None if no utterance of one of the two has it.

    Raises:
        DataError: if the two are of different numbers of utterances.
    """
    _same(first.sums, second.sums)
    values = [one.over(range(len(one.each))) for one in (first, second)]
    if values[0] is None or values[1] is None:
        return None
    ones, others = _resampled([first.sums, second.sums], seed, resamples)
    pairs = zip(ones, others, strict=True)
    return _difference(values[1] - values[0], np.array([second.of(other) - first.of(one) for one, other in pairs]))


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


def _difference(value: float, drawn: np.ndarray) -> Difference:
    sure = _interval(value, drawn)
    as_large = int(np.sum(np.abs(drawn - value) >= abs(value) - 1e-12))
    return Difference(value, sure.low, sure.high, min((as_large + 1) / (len(drawn) + 1), 1.0))


def _same(one: np.ndarray, other: np.ndarray) -> None:
    if one.shape != other.shape:
        raise DataError(f"figures of {one.shape} against {other.shape} (utterances, ratios)")
