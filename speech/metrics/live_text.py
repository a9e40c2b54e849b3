"""What has been said and what has been recognised so far in a session, in mixed units."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from speech.metrics.edit.alignment import EditAlignment
from speech.metrics.utterance import Known
from speech.text.normalize import scored_text
from speech.text.units import Form, units
from speech.text.word_language import word_languages


@dataclass(frozen=True, slots=True)
class SpokenText:
    """A piece of either side: a sentence of the reference, or a final."""

    text: str
    plain: str
    words: Known
    """() if none are known."""
    languages: tuple[str | None, ...]
    """Of its units, as the words have them."""
    points: tuple[int, ...] = ()
    """Places among `words`."""

    @property
    def all_words(self) -> Known:
        """Those that are known, otherwise those that spaces tell."""
        return self.words or tuple((word, None) for word in self.text.split())


def spoken_text(text: str, words: Known, among: tuple[str, ...], points: tuple[int, ...] = ()) -> SpokenText:
    """A piece in any of some languages; without the words if they are those of another text."""
    plain = scored_text(text, among)
    found = units(plain, Form.mer)
    parts = [(unit, language) for word, language in words for unit in units(scored_text(word, among), Form.mer)]
    if words and [unit for unit, _ in parts] == found:
        return SpokenText(text, plain, words, tuple(language for _, language in parts), points)
    return SpokenText(text, plain, (), (None,) * len(found), points)


class UnitsSoFar:
    """One side, as far as it is known.

    Args:
        among: languages that are spoken, ISO 639-3, the main one first.
    """

    def __init__(self, among: tuple[str, ...]) -> None:
        self.among = among
        self.units: list[str] = []
        self.first: list[bool] = []
        """Whether a unit is the first of a word."""
        self.languages: list[str | None] = []

    def add(self, piece: SpokenText) -> None:
        for word in piece.plain.split():
            parts = units(word, Form.mer)
            self.units += parts
            self.first += [True] + [False] * (len(parts) - 1)
        self.languages += self._told(piece)

    def words(self, start: int, end: int) -> list[str]:
        """What stands between spaces; a word that is cut counts as two."""
        found: list[str] = []
        for place in range(start, end):
            if self.first[place] or not found:
                found.append(self.units[place])
            else:
                found[-1] += self.units[place]
        return found

    def _told(self, piece: SpokenText) -> list[str | None]:
        """Languages of units: the given ones, otherwise what letters tell."""
        found, among = units(piece.plain, Form.mer), self.among
        guessed = word_languages(found, among) if len(among) > 1 else [among[0] if among else None] * len(found)
        return [language or other for language, other in zip(piece.languages, guessed, strict=True)]


class ReferenceSoFar(UnitsSoFar):
    """The side of what is really said, with its points of interest, its switches and its sentences.

    Args:
        among: as for `UnitsSoFar`.
        marked: points of interest are those that are marked, and not what is in another than the main language.
    """

    def __init__(self, among: tuple[str, ...], *, marked: bool) -> None:
        super().__init__(among)
        self.marked = marked
        self._ends: list[int] = []  # of sentences, in units
        self._switches: list[bool] = []
        self._interest: list[bool] = []
        self._counted: Counter[str] = Counter()
        self._last: str | None = None

    def add(self, piece: SpokenText) -> None:
        before = len(self.units)
        super().add(piece)
        self._ends.append(len(self.units))
        marked = set(piece.points)
        for number, (word, _) in enumerate(piece.all_words):
            self._interest += [number in marked] * len(units(scored_text(word, self.among), Form.mer))
        for language in self.languages[before:]:
            self._switches.append(language is not None and self._last is not None and language != self._last)
            self._last = language or self._last
            if language:
                self._counted[language] += 1

    @property
    def matrix(self) -> str | None:
        """The main language; None where points of interest are marked, and where no language is known."""
        if self.marked:
            return None
        return self.among[0] if len(self.among) > 1 else max(self._counted, key=self._counted.__getitem__, default=None)

    def points(self, start: int, end: int) -> list[int]:
        """Places of interest, counted from `start` on."""
        if self.marked:
            return [place - start for place in range(start, end) if self._interest[place]]
        matrix = self.matrix
        return [
            place
            for place, language in enumerate(self.languages[start:end])
            if language is not None and matrix is not None and language != matrix
        ]

    def near_switches(self, start: int, end: int) -> list[int]:
        """Places before and behind a switch of languages, counted from `start` on."""
        switches = self._switches
        return [n - start for n in range(start, end) if switches[n] or (n + 1 < end and switches[n + 1])]

    def sentences(
        self, alignment: EditAlignment, start: int, before: Mapping[int, int]
    ) -> tuple[tuple[int, int, int], ...]:
        """(number, errors, units) of the sentences that an alignment touches, whose reference begins at `start`.

        Args:
            before: errors of sentences before it, or of their beginnings.
        """
        end = start + len(alignment.reference)
        errors = Counter(before) + self.sentence_errors(alignment, start)
        found = []
        for number in range(bisect_right(self._ends, start), len(self._ends)):
            first = self._ends[number - 1] if number else 0
            if first >= end and not errors[number]:
                break
            found.append((number, errors[number], max(min(self._ends[number], end) - first, 0)))
        return tuple(found)

    def sentence_errors(self, alignment: EditAlignment, start: int) -> Counter[int]:
        """Errors of each sentence; an insertion belongs to the unit that it stands before, behind all to the last."""
        last = max(start + len(alignment.reference) - 1, 0)
        places = (min(start + edit.source, last) for edit in alignment.edits)
        return Counter(min(bisect_right(self._ends, place), len(self._ends) - 1) for place in places)
