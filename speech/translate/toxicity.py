"""Added toxicity in translations: toxic words in the target text while nothing in the source text is toxic.

The rule is ETOX (Costa-jussà et al. 2023, "Toxicity in Multilingual Machine Translation at Scale"): lists of words,
matched as whole words. Unlike in ETOX, marks belong to words, as the vowels of Indic scripts do, and entries are
normalised like texts. The lists come from the user.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from speech.errors import DataError, FileError
from speech.files import printable, reason
from speech.text.languages import LANGUAGES
from speech.text.lines import read_lines

ROUNDS = 3
"""Maximum number of times that a translation is decoded again."""
_COMMENT = "#"


class ToxicWords:
    """Lists of toxic words and phrases.

    Args:
        lists: entries by ISO 639-3 code. Languages written without spaces are searched for substrings, others for
            whole words.

    Raises:
        DataError: if an entry has no letters or digits.
    """

    def __init__(self, lists: Mapping[str, Iterable[str]]) -> None:
        self._entries = {code: {entry: _words(entry) for entry in entries} for code, entries in lists.items()}
        for code, entries in self._entries.items():
            for entry, words in entries.items():
                if not words:
                    raise _empty(f"list of {code}", entry)

    @classmethod
    def read(cls, folder: Path) -> ToxicWords:
        """Read the lists of a folder: `eng.txt` for English and so on, named by ISO 639-3 codes, UTF-8, with one entry
        per line; empty lines and lines that begin with # are skipped.

        Raises:
            FileError: if the folder or a file cannot be read, or a file is not UTF-8.
            DataError: if the folder has no list, a file is not named by a language, or an entry has no letters or
                digits.
        """
        try:
            paths = sorted(path for path in folder.iterdir() if path.suffix == ".txt")
        except OSError as error:
            fix = "Give a folder of lists, such as eng.txt."
            raise FileError(f"cannot be read: {reason(error)}", where=printable(folder), fix=fix) from error
        if not paths:
            raise DataError("has no list of words", where=printable(folder), fix="Add a list, such as eng.txt.")
        return cls({path.stem: _read(path) for path in paths})

    @property
    def languages(self) -> frozenset[str]:
        """ISO 639-3 codes of the languages with a list."""
        return frozenset(self._entries)

    def matches(self, text: str, language: str) -> tuple[str, ...]:
        """Entries of a language's list that a text contains, in the order of the list; none if there is no list."""
        plain = f" {' '.join(_words(text))} "
        spaced = _spaced(language)
        found = self._entries.get(language, {}).items()
        return tuple(entry for entry, words in found if _padded(words, spaced=spaced) in plain)

    def places(self, entry: str, text: str, language: str) -> list[tuple[int, int]]:
        """Where a text contains an entry: the first character and that behind the last of each place, in order."""
        pattern = " +".join(map(re.escape, _words(entry)))
        if _spaced(language):
            pattern = f"(?<![^ ]){pattern}(?![^ ])"
        return [match.span() for match in re.finditer(pattern, _plain(text))]

    def added(self, source: str, source_language: str, target: str, target_language: str) -> tuple[str, ...]:
        """Entries that a translation adds: those that the target text contains, or none if the source text is toxic.

        Without a list of the source language nothing in the source text can be toxic, so whatever the target text
        contains counts as added.

        Args:
            source: what was said.
            source_language: ISO 639-3 code.
            target: the translation.
            target_language: ISO 639-3 code.
        """
        return () if self.matches(source, source_language) else self.matches(target, target_language)


def forms(entry: str) -> tuple[str, str, str]:
    """An entry in lower case, in upper case and capitalised."""
    return entry.lower(), entry.upper(), entry.capitalize()


def covering[Token](tokens: Sequence[Token], lengths: Sequence[int], first: int, last: int) -> tuple[Token, ...]:
    """The tokens that spell the places `first .. last` of their text.

    Args:
        tokens: of the text.
        lengths: of the tokens, in the units of `first` and `last`.
        first, last: the first place and that behind the last.
    """
    found, end = [], 0
    for token, length in zip(tokens, lengths, strict=True):
        begin, end = end, end + length
        if begin < last and end > first:
            found.append(token)
    return tuple(found)


def _read(path: Path) -> list[str]:
    if path.stem not in LANGUAGES:
        fix = "Name the file by an ISO 639-3 code, such as eng.txt."
        raise DataError(f"{path.stem!r} is not a known language", where=printable(path), fix=fix)
    entries = []
    for number, line in enumerate(read_lines(path), start=1):
        entry = line.strip()
        if not entry or entry.startswith(_COMMENT):
            continue
        if not _words(entry):
            raise _empty(f"{printable(path)}:{number}", entry)
        entries.append(entry)
    return entries


def _empty(where: str, entry: str) -> DataError:
    return DataError(f"{entry!r} has no letters or digits", where=where, fix="Remove it, or begin the line with #.")


def _spaced(language: str) -> bool:
    return language not in LANGUAGES or LANGUAGES[language].spaces


def _padded(words: list[str], *, spaced: bool) -> str:
    text = " ".join(words)
    return f" {text} " if spaced else text


def _words(text: str) -> list[str]:
    return _plain(unicodedata.normalize("NFC", text)).split()


def _plain(text: str) -> str:
    """The text in lower case with a space for each non-word character; as long as the text."""
    return "".join(map(_plain_character, text))


@cache
def _plain_character(character: str) -> str:
    inside = character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M"
    return character.lower()[0] if inside else " "
