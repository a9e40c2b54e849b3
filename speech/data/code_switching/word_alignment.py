"""Word alignment of parallel sentences: IBM model 1 with a diagonal prior.

It follows Dyer et al. 2013 (fast_align), with fixed tension; both directions are symmetrised by growing their
intersection (Och and Ney 2003). A few hundred short sentences are enough if their words recur.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

Words = Sequence[str]
Links = frozenset[tuple[int, int]]
"""Aligned word indices (in the first sentence, in the second)."""

_NULL = ""
_NULL_SHARE = 0.08
_TENSION = 4.0
_SMOOTH = 0.01
_LEAST = 1e-6
_BESIDE = ((-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))

Table = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class TranslationTable:
    """Word translation probabilities in both directions, estimated by `fit`."""

    forward: Table
    """Word of the first language -> word of the second -> probability."""
    backward: Table

    @classmethod
    def fit(cls, pairs: Sequence[tuple[Words, Words]], iterations: int = 5) -> TranslationTable:
        """Estimate from parallel sentences, normalised by `plain_text` and split into words."""
        pairs = [(one, other) for one, other in pairs if one and other]
        return cls(_fit(pairs, iterations), _fit([(other, one) for one, other in pairs], iterations))

    def links(self, one: Words, other: Words) -> Links:
        """Align two sentences.

        A link found in only one direction is added if it neighbours a link and one of its words is not yet aligned.
        """
        if not one or not other:
            return frozenset()
        there = {(i, j) for j, i in _best(self.forward, one, other)}
        back = set(_best(self.backward, other, one))
        return frozenset(_grown(there & back, there | back))


def _fit(pairs: Sequence[tuple[Words, Words]], iterations: int) -> Table:
    """Estimate p(target | source) by expectation maximisation."""
    found: Table = {}
    for _ in range(iterations):
        counts: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for source, target in pairs:
            for j, word in enumerate(target):
                weights = _weights(found, source, word, j, len(target))
                total = sum(weights)
                for candidate, weight in zip((_NULL, *source), weights, strict=True):
                    counts[candidate][word] += weight / total
        found = {
            source: {
                word: (count + _SMOOTH) / (sum(row.values()) + _SMOOTH * len(row))
                for word, count in row.items()
                if count > _LEAST
            }
            for source, row in counts.items()
        }
    return found


def _weights(table: Table, source: Words, word: str, j: int, length: int) -> list[float]:
    """Alignment weights of NULL and each word of `source` for word `j` of `length` target words."""
    near = _diagonal(len(source), length)[j]
    if not table:  # first iteration
        return list(near)
    rows = (table.get(candidate) for candidate in (_NULL, *source))
    return [n * max(row.get(word, 0.0) if row else 0.0, _LEAST) for n, row in zip(near, rows, strict=True)]


@cache
def _diagonal(source: int, target: int) -> list[list[float]]:
    """Diagonal prior: for each of `target` positions, the probability of NULL and of each of `source` positions."""
    found = []
    for j in range(target):
        near = [math.exp(-_TENSION * abs((i + 0.5) / source - (j + 0.5) / target)) for i in range(source)]
        scale = (1.0 - _NULL_SHARE) / sum(near)
        found.append([_NULL_SHARE, *[n * scale for n in near]])
    return found


def _best(table: Table, source: Words, target: Words) -> list[tuple[int, int]]:
    """(target index, source index) of target words whose best alignment is not NULL."""
    found = []
    for j, word in enumerate(target):
        weights = _weights(table, source, word, j, len(target))
        best = max(range(len(weights)), key=weights.__getitem__)
        if best:
            found.append((j, best - 1))
    return found


def _grown(sure: set[tuple[int, int]], possible: set[tuple[int, int]]) -> set[tuple[int, int]]:
    links = set(sure)
    grew = True
    while grew:
        grew = False
        for i, j in sorted(possible - links):
            free = all(i != a for a, _ in links) or all(j != b for _, b in links)
            if free and any((i + di, j + dj) in links for di, dj in _BESIDE):
                links.add((i, j))
                grew = True
    return links
