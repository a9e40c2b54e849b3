"""Which of some languages each word is in, as far as its letters tell."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from speech.text.scripts import script, scripts_of


def word_languages(words: Sequence[str], languages: Sequence[str]) -> list[str | None]:
    """Of each word the only one of `languages` (ISO 639-3) in its letters; None where several are, or none.

    A word in letters of two scripts is in the language of the first letter that tells.
    """
    among = tuple(languages)
    return [_language(word, among) for word in words]


@lru_cache(1 << 16)
def _language(word: str, languages: tuple[str, ...]) -> str | None:
    for letter in word:
        written = script(letter)
        if written is None:
            continue
        possible = [language for language in languages if written in scripts_of(language)]
        if len(possible) == 1:
            return possible[0]
    return None
