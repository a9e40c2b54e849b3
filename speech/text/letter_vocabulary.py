"""Letters, phonemes and languages of a pronunciation model, and texts in them.

A word is its letters between two marks, and words follow each other without anything between them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from speech.errors import LanguageError

BLANK = 0
"""Phoneme number of CTC's blank."""
_BEGIN, _END, _FIRST = 1, 2, 3
"""Numbers of the marks around a word, and of the first letter; 0 fills rows up."""


class SpelledWords(NamedTuple):
    """Words as a pronunciation model reads them."""

    letters: list[int]
    spans: list[tuple[int, int]]
    """For each word the place of its first mark, and one behind its last."""


@dataclass(frozen=True, slots=True)
class LetterVocabulary:
    """What a pronunciation model reads and writes."""

    letters: str
    """Each once, in lower case and NFC."""
    phonemes: str
    """Each once, one character per phoneme."""
    languages: tuple[str, ...]
    """ISO 639-3 codes."""

    @classmethod
    def of(cls, words: Iterable[str], phonemes: Iterable[str], languages: Iterable[str]) -> LetterVocabulary:
        """The vocabulary of all that occurs."""
        letters = sorted({letter for word in words for letter in _plain(word)})
        return cls("".join(letters), "".join(sorted({*"".join(phonemes)})), tuple(sorted(set(languages))))

    @property
    def letter_count(self) -> int:
        """Numbers of letters, of the marks and of what fills rows up."""
        return _FIRST + len(self.letters)

    @property
    def phoneme_count(self) -> int:
        """Numbers of phonemes and of the blank."""
        return 1 + len(self.phonemes)

    def language(self, code: str) -> int:
        """The number of a language.

        Raises:
            LanguageError: if it is unknown.
        """
        if code not in self.languages:
            known = ", ".join(self.languages)
            raise LanguageError(f"no pronunciation is known in {code!r}", fix=f"Use one of {known}.")
        return self.languages.index(code)

    def spell(self, words: Sequence[str]) -> SpelledWords:
        """Words in numbers. A letter that is unknown is read as the one without its accents, or else left out."""
        numbers: list[int] = []
        spans = []
        for word in words:
            own = [_BEGIN, *self._spelled(word), _END]
            spans.append((len(numbers), len(numbers) + len(own)))
            numbers += own
        return SpelledWords(numbers, spans)

    def numbers(self, phonemes: str) -> list[int]:
        """Numbers of phonemes, each of which is known."""
        return [1 + self.phonemes.index(phoneme) for phoneme in phonemes]

    def written(self, numbers: Iterable[int]) -> str:
        """Phonemes by their numbers, none of which is `BLANK`."""
        return "".join(self.phonemes[number - 1] for number in numbers)

    def _spelled(self, word: str) -> list[int]:
        found = []
        for letter in _plain(word):
            known = letter if letter in self.letters else _unaccented(letter)
            if known in self.letters:
                found.append(_FIRST + self.letters.index(known))
        return found


def _plain(word: str) -> str:
    return unicodedata.normalize("NFC", word.lower())


def _unaccented(letter: str) -> str:
    """The letter below accents; empty if there is none."""
    return unicodedata.normalize("NFD", letter)[:1]
