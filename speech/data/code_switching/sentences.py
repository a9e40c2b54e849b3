"""Code-switched sentences made of parallel ones: switched where both word orders agree, judged, and mended.

Poplack 1980: a speaker switches between words (free-morpheme constraint), and where the order of what stands on both
sides is that of both languages (equivalence constraint). Here: no alignment link crosses the switch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from speech.data.code_switching.judges import Judgement
from speech.data.code_switching.mixture import Mixture, Point, SentencePair

_MOST_POINTS = 3


class Judge(Protocol):
    """Who says whether a sentence is good: `RuleJudge`, or a language model (`LlmJudge`)."""

    def judge(self, mixture: Mixture, target_share: float) -> Judgement:
        """Judge a sentence that shall have such a share of embedded words."""


@dataclass(frozen=True, slots=True)
class AcceptedMixture:
    """A sentence and what the judges say of it."""

    mixture: Mixture
    verdict: Judgement
    rounds: int
    """How many times it was mended."""


def generate(parallel: SentencePair, target_share: float, rng: np.random.Generator) -> Mixture | None:
    """A mixture at random points, of about such a share of embedded words; None where there is no place to switch."""
    points = parallel.points
    if not points:
        return None
    wanted = 1 + int(rng.integers(min(_MOST_POINTS, len(points))))
    while not _ascends(chosen := sorted(points[n] for n in rng.choice(len(points), wanted, replace=False))):
        wanted -= 1
    options = [Mixture(parallel, tuple(chosen), start) for start in (0, 1)]
    return min(options, key=lambda one: abs(one.embedded_share - target_share))


def refine(mixture: Mixture, judges: Judge, target_share: float, rounds: int = 4) -> AcceptedMixture | None:
    """Mend what the judges find until they accept it.

    Each round takes the place of the gravest fault, tries what would mend it there, has the results judged, and goes on
    with the best of them. None where nothing gets better before it is good enough.
    """
    verdict = judges.judge(mixture, target_share)
    for done in range(rounds + 1):
        if verdict.accepted:
            return AcceptedMixture(mixture, verdict, done)
        if done == rounds:
            break
        tried = [(judges.judge(other, target_share), other) for other in dict.fromkeys(_mended(mixture, verdict))]
        better = [pair for pair in tried if pair[0].total > verdict.total]
        if not better:
            break
        verdict, mixture = max(better, key=lambda pair: (pair[0].accepted, pair[0].total))
    return None


def _mended(mixture: Mixture, verdict: Judgement) -> Iterator[Mixture]:
    """What might be better, for the gravest fault first: its switch elsewhere, gone, or one more."""
    points = mixture.parallel.points
    for fault in verdict.faults[:2]:
        for number in {max(fault.part - 1, 0), min(fault.part, len(mixture.points) - 1)}:
            rest = mixture.points[:number] + mixture.points[number + 1 :]
            if rest:
                yield from (Mixture(mixture.parallel, rest, start) for start in (0, 1))
            for other in points:
                moved = sorted((*rest, other))
                if other not in mixture.points and _ascends(moved):
                    yield Mixture(mixture.parallel, tuple(moved), mixture.start)
    yield Mixture(mixture.parallel, mixture.points, 1 - mixture.start)
    if len(mixture.points) < _MOST_POINTS:
        for other in points:
            more = sorted((*mixture.points, other))
            if other not in mixture.points and _ascends(more):
                yield Mixture(mixture.parallel, tuple(more), mixture.start)


def _ascends(points: list[Point]) -> bool:
    return all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(points))
