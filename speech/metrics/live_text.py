"""Reference and recognised text of a session so far, in mixed units."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from speech.metrics.edit.alignment import EditAlignment
from speech.metrics.utterance import Known
from speech.text.normalize import scored_text
from speech.text.units import UnitKind, units
from speech.text.word_language import word_languages


@dataclass(frozen=True, slots=True)
class SpokenText:
    """A piece of text: a sentence of the reference, or a final."""

    text: str
    plain: str
    words: Known
    """Words with languages; () if unknown."""
    languages: tuple[str | None, ...]
    """Language of each unit, from the words."""
    points: tuple[int, ...] = ()
    """Indices in `words` of the points of interest."""

    @property
    def all_words(self) -> Known:
        """The known words, otherwise the words between spaces."""
        return self.words or tuple((word, None) for word in self.text.split())


def spoken_text(text: str, words: Known, among: tuple[str, ...], points: tuple[int, ...] = ()) -> SpokenText:
    """Build a piece; `words` are dropped if they do not match `text`."""
    plain = scored_text(text, among)
    found = units(plain, UnitKind.mer)
    parts = [(unit, language) for word, language in words for unit in units(scored_text(word, among), UnitKind.mer)]
    if words and [unit for unit, _ in parts] == found:
        return SpokenText(text, plain, words, tuple(language for _, language in parts), points)
    return SpokenText(text, plain, (), (None,) * len(found), points)


class UnitsSoFar:
    """Units of one side so far.

    Args:
        among: spoken languages, ISO 639-3, the main one first.
    """

    def __init__(self, among: tuple[str, ...]) -> None:
        self.among = among
        self.units: list[str] = []
        self.first: list[bool] = []
        """Whether each unit is the first of a word."""
        self.languages: list[str | None] = []

    def add(self, piece: SpokenText) -> None:
        for word in piece.plain.split():
            parts = units(word, UnitKind.mer)
            self.units += parts
            self.first += [True] + [False] * (len(parts) - 1)
        self.languages += self._told(piece)

    def words(self, start: int, end: int) -> list[str]:
        """Words made of the units from `start` to `end`; a word cut at the border is returned in part."""
        found: list[str] = []
        for place in range(start, end):
            if self.first[place] or not found:
                found.append(self.units[place])
            else:
                found[-1] += self.units[place]
        return found

    def _told(self, piece: SpokenText) -> list[str | None]:
        """Language of each unit: the given one, otherwise guessed from its letters."""
        found, among = units(piece.plain, UnitKind.mer), self.among
        guessed = word_languages(found, among) if len(among) > 1 else [among[0] if among else None] * len(found)
        return [language or other for language, other in zip(piece.languages, guessed, strict=True)]


class ReferenceSoFar(UnitsSoFar):
    """Reference so far, with its points of interest, language switches and sentences.

    Args:
        among: as for `UnitsSoFar`.
        marked: whether points of interest are the marked words, instead of all words outside the main language.
    """

    def __init__(self, among: tuple[str, ...], *, marked: bool) -> None:
        super().__init__(among)
        self.marked = marked
        self._ends: list[int] = []  # end of each sentence, in units
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
            self._interest += [number in marked] * len(units(scored_text(word, self.among), UnitKind.mer))
        for language in self.languages[before:]:
            self._switches.append(language is not None and self._last is not None and language != self._last)
            self._last = language or self._last
            if language:
                self._counted[language] += 1

    @property
    def matrix(self) -> str | None:
        """The main language; None if points of interest are marked or no language is known."""
        if self.marked:
            return None
        return self.among[0] if len(self.among) > 1 else max(self._counted, key=self._counted.__getitem__, default=None)

    def points(self, start: int, end: int) -> list[int]:
        """Positions of the points of interest, relative to `start`."""
        if self.marked:
            return [place - start for place in range(start, end) if self._interest[place]]
        matrix = self.matrix
        return [
            place
            for place, language in enumerate(self.languages[start:end])
            if language is not None and matrix is not None and language != matrix
        ]

    def near_switches(self, start: int, end: int) -> list[int]:
        """Positions before and after a language switch, relative to `start`."""
        switches = self._switches
        return [n - start for n in range(start, end) if switches[n] or (n + 1 < end and switches[n + 1])]

    def sentences(
        self, alignment: EditAlignment, start: int, before: Mapping[int, int]
    ) -> tuple[tuple[int, int, int], ...]:
        """(number, errors, units) of the sentences covered by an alignment whose reference begins at `start`.

        Args:
            before: errors already settled, by sentence.
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
        """Errors of each sentence; an insertion counts for the unit after it, at the end for the last unit."""
        last = max(start + len(alignment.reference) - 1, 0)
        places = (min(start + edit.source, last) for edit in alignment.edits)
        return Counter(min(bisect_right(self._ends, place), len(self._ends) - 1) for place in places)
