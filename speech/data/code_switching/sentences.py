"""Generate code-switched sentences from parallel ones: switch where both word orders agree, judge, and refine.

Poplack 1980: speakers switch between words (free-morpheme constraint), at points where the word order around the switch
is valid in both languages (equivalence constraint). Here, no alignment link may cross the switch.
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
    """Judge of sentences: rules (`RuleJudge`), or a language model (`LlmJudge`)."""

    def judge(self, mixture: Mixture, target_share: float) -> Judgement:
        """Judge a sentence with a target share of embedded words."""


@dataclass(frozen=True, slots=True)
class AcceptedMixture:
    """An accepted sentence with its judgement."""

    mixture: Mixture
    verdict: Judgement
    rounds: int
    """Number of refinement rounds."""


def generate(parallel: SentencePair, target_share: float, rng: np.random.Generator) -> Mixture | None:
    """Make a mixture with random switch points, as close to `target_share` as the starting language allows.

    Returns None if the pair has no switch point.
    """
    points = parallel.points
    if not points:
        return None
    wanted = 1 + int(rng.integers(min(_MOST_POINTS, len(points))))
    while not _ascends(chosen := sorted(points[n] for n in rng.choice(len(points), wanted, replace=False))):
        wanted -= 1
    options = [Mixture(parallel, tuple(chosen), start) for start in (0, 1)]
    return min(options, key=lambda one: abs(one.embedded_share - target_share))


def refine(mixture: Mixture, judges: Judge, target_share: float, rounds: int = 4) -> AcceptedMixture | None:
    """Refine a mixture until the judge accepts it.

    Each round judges the candidate repairs of the two most serious faults and continues with the best candidate that
    improves the total. Returns None if no candidate is better, or after `rounds` rounds.
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
    """Candidate repairs: remove or move the switches at the two most serious faults, swap languages, add a switch."""
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
