"""Parallel sentence pairs, and code-switched mixtures of them that switch where both word orders agree."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from speech.data.code_switching.word_alignment import Links
from speech.text.languages import LANGUAGES
from speech.text.normalize import plain_text
from speech.text.units import UnitKind, units
from speech.transcript import Word, join

Point = tuple[int, int]
"""A switch point: the number of words before it in each sentence."""


def words_of(text: str, language: str) -> tuple[str, ...]:
    """Normalised words of a text, or characters in a language (ISO 639-3) written without spaces."""
    kind = UnitKind.wer if LANGUAGES[language].spaces else UnitKind.mer
    return tuple(units(plain_text(text), kind))


@dataclass(frozen=True)
class SentencePair:
    """A sentence and its translation."""

    languages: tuple[str, str]
    """ISO 639-3."""
    words: tuple[tuple[str, ...], tuple[str, ...]]
    """Normalised words of each sentence."""
    links: Links
    """Word alignment; see `TranslationTable.links`."""

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """Possible switch points: no alignment link crosses, and both words directly before or after are aligned."""
        lengths = [len(side) for side in self.words]
        found = []
        for i in range(1, lengths[0]):
            for j in range(1, lengths[1]):
                crosses = any((a < i) != (b < j) for a, b in self.links)
                if not crosses and (self._linked(i - 1, j - 1) or self._linked(i, j)):
                    found.append((i, j))
        return tuple(found)

    def _linked(self, i: int, j: int) -> bool:
        return any(a == i for a, _ in self.links) and any(b == j for _, b in self.links)

    def linked(self, side: int, place: int) -> bool:
        """Whether word `place` of sentence `side` is aligned at all."""
        return any(link[side] == place for link in self.links)


@dataclass(frozen=True)
class LanguageSpan:
    """Consecutive words of one of the two sentences."""

    side: int
    first: int
    last: int
    """Exclusive."""

    def __len__(self) -> int:
        return self.last - self.first


@dataclass(frozen=True)
class Mixture:
    """A code-switched sentence that alternates between the two sentences of a pair."""

    parallel: SentencePair
    points: tuple[Point, ...]
    """Switch points, ascending on both sides, at least one."""
    start: int
    """Side of the first part: 0 or 1."""

    @cached_property
    def parts(self) -> tuple[LanguageSpan, ...]:
        """Parts of the sentence in order."""
        ends = ((0, 0), *self.points, tuple(len(side) for side in self.parallel.words))
        sides = [(self.start + n) % 2 for n in range(len(ends) - 1)]
        return tuple(
            LanguageSpan(side, before[side], after[side])
            for side, (before, after) in zip(sides, pairwise(ends), strict=True)
        )

    @cached_property
    def words(self) -> tuple[tuple[str, str], ...]:
        """(word, language) of each word."""
        both = self.parallel
        return tuple(
            (word, both.languages[part.side])
            for part in self.parts
            for word in both.words[part.side][part.first : part.last]
        )

    @property
    def text(self) -> str:
        return join([Word(text, 0.0, 0.0, 1.0, language) for text, language in self.words])

    @property
    def matrix(self) -> int:
        """Side of the matrix language, which has more words; the first word's side on a tie."""
        counts = [sum(len(part) for part in self.parts if part.side == side) for side in (0, 1)]
        return self.start if counts[0] == counts[1] else int(counts[1] > counts[0])

    @property
    def embedded_share(self) -> float:
        """Share of words in the embedded language, 0 to 0.5."""
        embedded = sum(len(part) for part in self.parts if part.side != self.matrix)
        return embedded / len(self.words)
