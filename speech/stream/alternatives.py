"""Several texts that may have been said: of one part, and of parts that follow each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from speech.stream.heard import Heard
from speech.transcript import Alternative, Word, join


class Reading(NamedTuple):
    """A text of one part."""

    words: Sequence[Word]
    confidence: float


def readings(heard: Heard, words: Callable[[Heard], Sequence[Word]]) -> list[Reading]:
    """What a part says, and what else it may say, each text once, from likely to unlikely.

    Args:
        heard: with `others`.
        words: of one of them.
    """
    found: dict[str, Reading] = {}
    for one in (heard, *heard.others):
        said = words(one)
        found.setdefault(join(said), Reading(said, one.confidence))
    return list(found.values())


def together(parts: Sequence[Sequence[Reading]], most: int) -> tuple[Alternative, ...]:
    """The likeliest texts of parts that follow each other, `most` of them, if there are so many.

    The first is made of the first reading of each part. Parts know nothing of each other: the confidence of a text is
    the product of those of its parts.
    """
    best: list[tuple[float, tuple[Sequence[Word], ...]]] = [(0.0, ())] if parts else []
    for options in parts:
        longer = [
            (score + math.log(max(one.confidence, 1e-300)), (*said, one.words))
            for score, said in best
            for one in options
        ]
        best = sorted(longer, key=lambda one: -one[0])[:most]
    return tuple(Alternative(join([word for part in said for word in part]), math.exp(score)) for score, said in best)
