"""What is particular to speech that switches languages: points of interest, switches, languages of words, complexity.

All of it is read off one alignment of words, in which each character of a script without spaces is a word of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from speech.errors import DataError
from speech.metrics.edit.alignment import EditAlignment, ErrorCounts


@dataclass(frozen=True, slots=True)
class PointErrors:
    """Of points of interest, which are as a rule the words of the embedded language, and of the rest; addable."""

    points: ErrorCounts = field(default_factory=ErrorCounts)
    rest: ErrorCounts = field(default_factory=ErrorCounts)
    skipped: int = 0
    """Utterances that have no point of interest, or nothing else."""

    @property
    def pier(self) -> float:
        """Errors per point of interest."""
        return self.points.rate

    def __add__(self, other: PointErrors) -> PointErrors:
        return PointErrors(self.points + other.points, self.rest + other.rest, self.skipped + other.skipped)


_SKIPPED = PointErrors(skipped=1)


def point_errors(alignment: EditAlignment, points: Sequence[int]) -> PointErrors:
    """Point-of-interest error rate (Ugan et al. 2025, arXiv 2501.09512): errors at some places of the reference.

    As its authors have it, an insertion belongs to the word that it stands before, one at the end to the last word, and
    an utterance without points of interest, or with nothing else, does not count.

    Args:
        points: places in the reference.
    """
    if not points:
        return _SKIPPED
    wanted = set(points)
    rest = {*range(len(alignment.reference))} - wanted
    if not rest:
        return _SKIPPED
    return PointErrors(alignment.within(wanted), alignment.within(rest))


def embedded_points(languages: Sequence[str | None], matrix: str) -> list[int]:
    """Places of the words that are in a language, and not in the matrix language."""
    return [place for place, language in enumerate(languages) if language is not None and language != matrix]


def matrix_language(languages: Sequence[str | None]) -> str | None:
    """The language of most words; of equals the one that comes first; None if no word has one."""
    counts = _words_of_each(languages)
    return max(counts, key=lambda code: counts[code]) if counts else None


def switches(languages: Sequence[str | None]) -> list[int]:
    """Places of the words that are in another language than the last word before them that has one."""
    places, before = [], None
    for place, language in enumerate(languages):
        if language is None:
            continue
        if before is not None and language != before:
            places.append(place)
        before = language
    return places


def switch_errors(alignment: EditAlignment, languages: Sequence[str | None], reach: int = 1) -> ErrorCounts:
    """Errors within `reach` words of a switch: for 1, in the word before it and the first word after it.

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
    """Words that are attributed to a wrong language; addable."""

    errors: int = 0
    words: int = 0

    @property
    def rate(self) -> float:
        """Per word that has a language in the reference and something recognised in its place."""
        return self.errors / self.words if self.words else 0.0

    def __add__(self, other: LanguageErrors) -> LanguageErrors:
        return LanguageErrors(self.errors + other.errors, self.words + other.words)


_NOT_COMPARED = LanguageErrors()


def language_errors(
    alignment: EditAlignment, reference: Sequence[str | None], hypothesis: Sequence[str | None]
) -> LanguageErrors:
    """Compare the languages of words that stand in each other's place, right or wrong; no language is a wrong one.

    Raises:
        DataError: if a word of either side has no entry.
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
    """Das and Gambaeck 2014: the share of words that are not in the most frequent language, of those in any; 0 to 1."""
    counts = _words_of_each(languages)
    return 1.0 - max(counts.values()) / sum(counts.values()) if counts else 0.0


def _words_of_each(languages: Sequence[str | None]) -> dict[str, int]:
    """Languages in the order in which they come."""
    return {language: languages.count(language) for language in dict.fromkeys(languages) if language is not None}


def _fits(alignment: EditAlignment, languages: Sequence[str | None]) -> None:
    if len(languages) != len(alignment.reference):
        raise DataError(f"{len(languages)} languages for {len(alignment.reference)} words of the reference")
