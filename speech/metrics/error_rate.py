"""Word and character error rates from one minimal edit alignment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from speech.text.normalize import normalize, scoring_units


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


def count_errors(reference: Sequence[str], hypothesis: Sequence[str]) -> ErrorCounts:
    """Edits between two sequences of units."""
    counts = {"replace": 0, "delete": 0, "insert": 0}
    for edit in Levenshtein.editops(reference, hypothesis):
        counts[edit.tag] += 1
    return ErrorCounts(counts["replace"], counts["delete"], counts["insert"], len(reference))


def word_errors(reference: str, hypothesis: str, language: str) -> ErrorCounts:
    """Word errors after normalisation; character errors where `language` (ISO 639-3) writes no spaces."""
    return count_errors(scoring_units(reference, language), scoring_units(hypothesis, language))


def character_errors(reference: str, hypothesis: str, language: str) -> ErrorCounts:
    """Character errors after normalisation, spaces not counted."""
    units = [normalize(text, language).replace(" ", "") for text in (reference, hypothesis)]
    return count_errors(units[0], units[1])
