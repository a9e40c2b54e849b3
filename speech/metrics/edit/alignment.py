"""One minimal edit alignment of two sequences, from which all that counts errors is read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from rapidfuzz.distance import Levenshtein

Operation = Literal["replace", "delete", "insert"]


@dataclass(frozen=True, slots=True)
class ErrorCounts:
    """Edits that turn hypotheses into references; addable."""

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    reference_length: int = 0

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def hits(self) -> int:
        return self.reference_length - self.substitutions - self.deletions

    @property
    def rate(self) -> float:
        """Errors per reference unit; against an empty reference 0 without and infinite with insertions."""
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
    """One difference. An insertion stands before the reference unit `source`, at the end if there is none."""

    operation: Operation
    source: int
    """Place in the reference."""
    target: int
    """Place in the hypothesis; of a deletion, where the unit is missing."""


class Pair(NamedTuple):
    """A reference unit beside what was recognised in its place; one of the two is None where nothing stands there."""

    reference: int | None
    hypothesis: int | None


@dataclass(frozen=True, slots=True)
class EditAlignment:
    """Fewest edits from a reference to a hypothesis, in order."""

    reference: Sequence[str]
    hypothesis: Sequence[str]
    edits: tuple[Edit, ...]

    @property
    def counts(self) -> ErrorCounts:
        return _count([operation for operation, _, _ in self.edits], len(self.reference))

    def within(self, places: Collection[int]) -> ErrorCounts:
        """Errors at some places of the reference. An insertion counts at the place that it stands before; one behind
        all units counts at the last place.

        Args:
            places: distinct.
        """
        if not places:
            return _error_counts(0, 0, 0, 0)
        last = len(self.reference) - 1
        wanted = {*places, len(self.reference)} if last in places else set(places)
        return _count([operation for operation, source, _ in self.edits if source in wanted], len(places))

    def pairs(self) -> Iterator[Pair]:
        """All units of both sides, those that are equal too, from left to right."""
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
    """The alignment of two sequences of units; of several that are minimal the one that rapidfuzz finds."""
    edits = Levenshtein.editops(reference, hypothesis).as_list()
    return EditAlignment(reference, hypothesis, tuple(map(_edit, edits)))


def count_errors(reference: Sequence[str], hypothesis: Sequence[str]) -> ErrorCounts:
    """As `align(...).counts`, where nothing else is wanted."""
    edits = Levenshtein.editops(reference, hypothesis).as_list()
    return _count([tag for tag, _, _ in edits], len(reference))


def count_other_units(alignment: EditAlignment, reference: Sequence[str], hypothesis: Sequence[str]) -> ErrorCounts:
    """Errors of the texts of an alignment in units that are parts of its own, or that its own are parts of. Where they
    are as many they are the same, and the alignment is all that is needed.

    Args:
        reference: units.
        hypothesis: units.
    """
    if len(reference) == len(alignment.reference) and len(hypothesis) == len(alignment.hypothesis):
        return alignment.counts
    return count_errors(reference, hypothesis)


def _count(tags: Sequence[object], reference_length: int) -> ErrorCounts:
    if not tags:
        return _error_counts(0, 0, 0, reference_length)
    return _error_counts(tags.count("replace"), tags.count("delete"), tags.count("insert"), reference_length)


# A corpus has few that differ: shared, they take no memory, and little time to make and to send to another process.
_error_counts = lru_cache(1 << 14)(ErrorCounts)
_edit = lru_cache(1 << 14)(Edit._make)
