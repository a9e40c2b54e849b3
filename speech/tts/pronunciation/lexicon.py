"""How American English words are pronounced that sound alike in every sentence, from a file of words and phonemes.

The file is compressed by gzip: words, one per line; an empty line; and the phonemes of each, one line per word. Words
without phonemes are known to sound otherwise in other sentences ("read", "the"). Regular forms need no entry.
"""

from __future__ import annotations

import gzip
import re
import unicodedata
import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from speech.errors import ModelError
from speech.files import reason, write_atomically
from speech.tts.pronunciation.english_inflection import inflected, with_s

LEXICON = "english_lexicon.gz"
"""Name of the file in the folder of a pronunciation model."""
_MOST_COMPRESSED, _MOST_BYTES = 8 << 20, 32 << 20
_GZIP = 16 + zlib.MAX_WBITS
_PRIMARY, _SECONDARY = "ˈ", "ˌ"


class EnglishLexicon:
    """Looks words up. The file is read when the first word is.

    Args:
        path: the file.
        phonemes: those that a pronunciation model knows; the file may have no others.
    """

    def __init__(self, path: Path, phonemes: Iterable[str]) -> None:
        self._path, self._phonemes = path, frozenset(phonemes)

    @classmethod
    def beside(cls, folder: Path, phonemes: Iterable[str]) -> EnglishLexicon | None:
        """The one in the folder of a pronunciation model, if there is one."""
        path = folder / LEXICON
        return cls(path, phonemes) if path.is_file() else None

    def look_up(self, words: Sequence[str]) -> list[str | None]:
        """Phonemes of the words of a sentence, None for those that are unknown or depend on the sentence.

        Raises:
            ModelError: if the file is damaged.
        """
        plain = [unicodedata.normalize("NFC", word).replace("’", "'") for word in words]
        long = [word for word in plain if len(word) > 1]
        if len(long) > 1 and all(word.isupper() for word in long):  # a text in capitals has no acronyms
            plain = [word.lower() for word in plain]
        return [self._of(word) or None for word in plain]

    def _of(self, word: str) -> str | None:
        """Phonemes of a word; empty if they depend on the sentence, None if it is unknown."""
        own = self._entries.get(word) if len(word) > 1 else ""
        if own is not None:
            return own
        for capitals in (word.removesuffix("'s"), word.removesuffix("s")):
            if capitals != word and len(capitals) > 1 and capitals.isupper():
                said = self._in_capitals(capitals)
                return with_s(said) if said else said
        return self._in_capitals(word) if word.isupper() else self._regular(word)

    def _regular(self, word: str) -> str | None:
        said = self._entry(word)
        return inflected(word, self._entry) if said is None else said

    def _entry(self, word: str) -> str | None:
        """Phonemes of a word's own entry. One that begins a sentence, or a name that does not, is found as well."""
        said = self._entries.get(word)
        if said is None and len(word) > 1:
            if word.islower():
                said = self._entries.get(word.capitalize())
            elif word[1:].islower():
                said = self._entries.get(word.lower())
        return said

    def _in_capitals(self, word: str) -> str | None:
        """An acronym, a word that is written large, or letters one by one."""
        said = self._entries.get(word)
        if said is None:
            said = self._regular(word.lower())
        return self._letters(word) if said is None else said

    def _letters(self, word: str) -> str | None:
        """Names of letters, the last one with the primary stress; None if one has no name."""
        names = [self._entries.get(letter) for letter in word]
        if not all(names):
            return None
        said = "".join(str(name).replace(_SECONDARY, "").replace(_PRIMARY, _SECONDARY) for name in names)
        before, _, last = said.rpartition(_SECONDARY)
        return before + _PRIMARY + last

    @cached_property
    def _entries(self) -> dict[str, str]:
        found = read_lexicon(self._path)
        said = "".join(found.values())
        known = re.escape("".join(sorted(self._phonemes)))
        if re.search(f"[^{known}]", said):  # a set of all takes several times longer
            strange = {*said} - self._phonemes
            fix = "Take the lexicon that belongs to the pronunciation model beside it."
            raise ModelError(f"has phonemes that are unknown: {sorted(strange)}", where=str(self._path), fix=fix)
        return found


def read_lexicon(path: Path) -> dict[str, str]:
    """Words and their phonemes.

    Raises:
        ModelError: if the file cannot be read, is damaged, or larger than any lexicon.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(_MOST_COMPRESSED + 1)
    except OSError as error:
        raise ModelError(f"cannot be read: {reason(error)}", where=str(path)) from error
    if len(packed) > _MOST_COMPRESSED:
        raise _damaged(path, f"is larger than {_MOST_COMPRESSED} bytes")
    unpacking = zlib.decompressobj(_GZIP)
    try:
        text = unpacking.decompress(packed, _MOST_BYTES).decode()
    except (zlib.error, UnicodeDecodeError) as error:
        raise _damaged(path, f"is damaged: {error}") from error
    if not unpacking.eof or unpacking.unused_data:
        raise _damaged(path, f"is cut off, has something behind its end, or more than {_MOST_BYTES} bytes")
    head, _, tail = text.partition("\n\n")
    words, phonemes = head.split("\n"), tail.removesuffix("\n").split("\n")
    entries = dict(zip(words, phonemes, strict=False))
    if not len(entries) == len(words) == len(phonemes):
        raise _damaged(path, f"has {len(entries)} different words, {len(words)} words, {len(phonemes)} pronunciations")
    return entries


def write_lexicon(path: Path, entries: Mapping[str, str]) -> None:
    """Write words and phonemes, in an order that does not depend on theirs.

    Raises:
        FileError: if the system refuses to write it.
    """
    words = sorted(entries)
    text = "\n".join([*words, "", *(entries[word] for word in words), ""])
    write_atomically(path, gzip.compress(text.encode(), 9, mtime=0))


def _damaged(path: Path, what: str) -> ModelError:
    return ModelError(what, where=str(path), fix="Make it again with recipes/tts/lexicon.py.")
