"""N-best texts of one part and of consecutive parts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from speech.recognize.result import PartResult
from speech.transcript import Alternative, Word, join

_LEAST = 1e-300
"""Floor for confidences, so that their logarithms are finite."""


class PartAlternative(NamedTuple):
    """A text of one part."""

    words: Sequence[Word]
    confidence: float


def readings(heard: PartResult, words: Callable[[PartResult], Sequence[Word]]) -> list[PartAlternative]:
    """The part's distinct texts: the best result first, then its alternatives from likely to unlikely.

    Args:
        heard: the result, with its alternatives in `others`.
        words: returns the words of a result.
    """
    found: dict[str, PartAlternative] = {}
    for one in (heard, *heard.others):
        said = words(one)
        found.setdefault(join(said), PartAlternative(said, one.confidence))
    return list(found.values())


def together(parts: Sequence[Sequence[PartAlternative]], most: int) -> tuple[Alternative, ...]:
    """The likeliest texts of consecutive parts, at most `most`; see `chained`. Empty without parts."""
    found = chained(parts, most) if parts else []
    return tuple(Alternative(join([word for part in said for word in part]), chance) for said, chance in found)


def chained[Said](parts: Sequence[Sequence[tuple[Said, float]]], most: int) -> list[tuple[tuple[Said, ...], float]]:
    """The likeliest `most` combinations of one reading per part, with their confidences.

    The first combination has the first reading of each part. Parts are treated as independent: a confidence is the
    product of the readings' confidences.
    """
    best: list[tuple[float, tuple[Said, ...]]] = [(0.0, ())]
    for options in parts:
        scores = [math.log(max(chance, _LEAST)) for _, chance in options]
        longer = [
            (before + score, (*taken, said))
            for before, taken in best
            for score, (said, _) in zip(scores, options, strict=True)
        ]
        best = sorted(longer, key=lambda one: -one[0])[:most]
    return [(taken, math.exp(score)) for score, taken in best]
