"""Code-switching metrics: points of interest (PIER), errors at switches, word languages, mixing index.

All of them use one word alignment, in which each character of a script without spaces is a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from speech.errors import DataError
from speech.metrics.edit.alignment import EditAlignment, ErrorCounts


@dataclass(frozen=True, slots=True)
class PointErrors:
    """Errors at points of interest, by default the words of the embedded language, and at all other words; addable."""

    points: ErrorCounts = field(default_factory=ErrorCounts)
    """Their rate is the point-of-interest error rate (PIER)."""
    rest: ErrorCounts = field(default_factory=ErrorCounts)
    skipped: int = 0
    """Number of utterances without points of interest, or with nothing else."""

    def __add__(self, other: PointErrors) -> PointErrors:
        return PointErrors(self.points + other.points, self.rest + other.rest, self.skipped + other.skipped)


_SKIPPED = PointErrors(skipped=1)


def point_errors(alignment: EditAlignment, points: Sequence[int]) -> PointErrors:
    """Errors for the point-of-interest error rate (PIER; Ugan et al. 2025, arXiv 2501.09512).

    As in the paper, an insertion counts for the word after it, at the end for the last word. An utterance without
    points of interest, or with nothing else, is skipped.

    Args:
        points: positions in the reference.
    """
    if not points:
        return _SKIPPED
    wanted = set(points)
    rest = {*range(len(alignment.reference))} - wanted
    if not rest:
        return _SKIPPED
    return PointErrors(alignment.within(wanted), alignment.within(rest))


def embedded_points(languages: Sequence[str | None], matrix: str) -> list[int]:
    """Positions of words whose language is known and is not the matrix language."""
    return [place for place, language in enumerate(languages) if language is not None and language != matrix]


def matrix_language(languages: Sequence[str | None]) -> str | None:
    """The most frequent language, the earlier one in a tie; None if no word has a language."""
    counts = _words_of_each(languages)
    return max(counts, key=lambda code: counts[code]) if counts else None


def switches(languages: Sequence[str | None]) -> list[int]:
    """Positions of words whose language differs from that of the last word before with a known language."""
    places, before = [], None
    for place, language in enumerate(languages):
        if language is None:
            continue
        if before is not None and language != before:
            places.append(place)
        before = language
    return places


def switch_errors(alignment: EditAlignment, languages: Sequence[str | None], reach: int = 1) -> ErrorCounts:
    """Errors within `reach` words of a language switch; for 1, in the words directly before and after it.

    Raises:
        DataError: if a word of the reference has no entry in `languages`.
    """
    _fits(alignment, languages)
    near: set[int] = set()
    for place in switches(languages):
        near.update(range(max(place - reach, 0), min(place + reach, len(languages))))
    return alignment.within(near)


@dataclass(frozen=True, slots=True)
class LanguageErrors:
    """Words recognised in the wrong language; addable."""

    errors: int = 0
    words: int = 0

    @property
    def rate(self) -> float:
        """Errors per aligned pair of words whose reference word has a language."""
        return self.errors / self.words if self.words else 0.0

    def __add__(self, other: LanguageErrors) -> LanguageErrors:
        return LanguageErrors(self.errors + other.errors, self.words + other.words)


_NOT_COMPARED = LanguageErrors()


def language_errors(
    alignment: EditAlignment, reference: Sequence[str | None], hypothesis: Sequence[str | None]
) -> LanguageErrors:
    """Compare the languages of aligned words, correct or substituted; a missing language counts as an error.

    Raises:
        DataError: if a word of either side has no entry in its language list.
    """
    _fits(alignment, reference)
    if len(hypothesis) != len(alignment.hypothesis):
        raise DataError(f"{len(hypothesis)} languages for {len(alignment.hypothesis)} recognised words")
    if not any(reference):
        return _NOT_COMPARED
    deleted = {edit.source for edit in alignment.edits if edit.operation == "delete"}
    inserted = {edit.target for edit in alignment.edits if edit.operation == "insert"}
    wanted = [language for place, language in enumerate(reference) if place not in deleted]
    found = [language for place, language in enumerate(hypothesis) if place not in inserted]
    compared = [(one, other) for one, other in zip(wanted, found, strict=True) if one is not None]
    return LanguageErrors(sum(one != other for one, other in compared), len(compared))


def code_mixing_index(languages: Sequence[str | None]) -> float:
    """Code-mixing index (Das and Gambaeck 2014), 0 to 1: share of words with a language outside the main language."""
    counts = _words_of_each(languages)
    return 1.0 - max(counts.values()) / sum(counts.values()) if counts else 0.0


def _words_of_each(languages: Sequence[str | None]) -> dict[str, int]:
    """Word counts per language, in order of first occurrence."""
    return {language: languages.count(language) for language in dict.fromkeys(languages) if language is not None}


def _fits(alignment: EditAlignment, languages: Sequence[str | None]) -> None:
    if len(languages) != len(alignment.reference):
        raise DataError(f"{len(languages)} languages for {len(alignment.reference)} words of the reference")
