"""Minimal edit alignment of two sequences, the basis of all error counts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from rapidfuzz.distance import Levenshtein

Operation = Literal["replace", "delete", "insert"]


@dataclass(frozen=True, slots=True)
class ErrorCounts:
    """Counts of edits between references and hypotheses; addable."""

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    reference_length: int = 0

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors per reference unit; for an empty reference, 0 without insertions and infinite with them."""
        if self.reference_length:
            return self.errors / self.reference_length
        return float("inf") if self.errors else 0.0

    def __add__(self, other: ErrorCounts) -> ErrorCounts:
        return ErrorCounts(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.reference_length + other.reference_length,
        )


class Edit(NamedTuple):
    """One edit. An insertion stands before the reference unit `source`, or at the end if there is no such unit."""

    operation: Operation
    source: int
    """Index in the reference."""
    target: int
    """Index in the hypothesis; for a deletion, the index where the unit is missing."""


class Pair(NamedTuple):
    """Indices of an aligned pair of units; None on one side for a deletion or insertion."""

    reference: int | None
    hypothesis: int | None


@dataclass(frozen=True, slots=True)
class EditAlignment:
    """Minimal edits from a reference to a hypothesis, in order."""

    reference: Sequence[str]
    hypothesis: Sequence[str]
    edits: tuple[Edit, ...]

    @property
    def counts(self) -> ErrorCounts:
        return _count([operation for operation, _, _ in self.edits], len(self.reference))

    def within(self, places: Collection[int]) -> ErrorCounts:
        """Errors at some positions of the reference. An insertion counts for the next unit, at the end for the last.

        Args:
            places: distinct positions.
        """
        if not places:
            return _error_counts(0, 0, 0, 0)
        last = len(self.reference) - 1
        wanted = {*places, len(self.reference)} if last in places else set(places)
        return _count([operation for operation, source, _ in self.edits if source in wanted], len(places))

    def pairs(self) -> Iterator[Pair]:
        """All aligned pairs, including equal units, from left to right."""
        source = target = 0
        for edit in self.edits:
            for _ in range(edit.source - source):
                yield Pair(source, target)
                source, target = source + 1, target + 1
            yield Pair(None if edit.operation == "insert" else source, None if edit.operation == "delete" else target)
            source += edit.operation != "insert"
            target += edit.operation != "delete"
        yield from (Pair(source + n, target + n) for n in range(len(self.reference) - source))


def align(reference: Sequence[str], hypothesis: Sequence[str]) -> EditAlignment:
    """Align two sequences of units; among several minimal alignments, return the one that rapidfuzz finds."""
    edits = Levenshtein.editops(reference, hypothesis).as_list()
    return EditAlignment(reference, hypothesis, tuple(map(_edit, edits)))


def count_errors(reference: Sequence[str], hypothesis: Sequence[str]) -> ErrorCounts:
    """The counts of `align(...)`, without building the alignment."""
    edits = Levenshtein.editops(reference, hypothesis).as_list()
    return _count([tag for tag, _, _ in edits], len(reference))


def count_other_units(alignment: EditAlignment, reference: Sequence[str], hypothesis: Sequence[str]) -> ErrorCounts:
    """Count errors of aligned texts in finer or coarser units, such as characters instead of words. If the numbers of
    units are equal, the units are the same, and the counts of the alignment are returned.

    Args:
        reference: units of the reference.
        hypothesis: units of the hypothesis.
    """
    if len(reference) == len(alignment.reference) and len(hypothesis) == len(alignment.hypothesis):
        return alignment.counts
    return count_errors(reference, hypothesis)


def _count(tags: Sequence[object], reference_length: int) -> ErrorCounts:
    if not tags:
        return _error_counts(0, 0, 0, reference_length)
    return _error_counts(tags.count("replace"), tags.count("delete"), tags.count("insert"), reference_length)


# Caching shares equal values, which saves memory and the time to create and pickle them; a corpus has few distinct
# ones.
_error_counts = lru_cache(1 << 14)(ErrorCounts)
_edit = lru_cache(1 << 14)(Edit._make)
