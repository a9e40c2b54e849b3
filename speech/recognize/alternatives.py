"""Several texts that may have been said: of one part, and of parts that follow each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from speech.recognize.result import PartResult
from speech.transcript import Alternative, Word, join

_LEAST = 1e-300
"""Confidence, for its logarithm to be a number."""


class PartAlternative(NamedTuple):
    """A text of one part."""

    words: Sequence[Word]
    confidence: float


def readings(heard: PartResult, words: Callable[[PartResult], Sequence[Word]]) -> list[PartAlternative]:
    """What a part says, and what else it may say, each text once, from likely to unlikely.

    Args:
        heard: with `others`.
        words: of one of them.
    """
    found: dict[str, PartAlternative] = {}
    for one in (heard, *heard.others):
        said = words(one)
        found.setdefault(join(said), PartAlternative(said, one.confidence))
    return list(found.values())


def together(parts: Sequence[Sequence[PartAlternative]], most: int) -> tuple[Alternative, ...]:
    """The likeliest texts of parts that follow each other; see `chained`. None without parts."""
    found = chained(parts, most) if parts else []
    return tuple(Alternative(join([word for part in said for word in part]), chance) for said, chance in found)


def chained[Said](parts: Sequence[Sequence[tuple[Said, float]]], most: int) -> list[tuple[tuple[Said, ...], float]]:
    """The likeliest `most` ways to take one reading of each part, and their confidences.

    The first is made of the first readings. Parts know nothing of each other: a confidence is the product of those of
    the readings.
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
