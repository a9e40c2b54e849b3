"""Identify the language of words by their script."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from speech.text.scripts import script, scripts_of


def word_languages(words: Sequence[str], languages: Sequence[str]) -> list[str | None]:
    """For each word, the only one of `languages` (ISO 639-3) written in its script; None if there are several or none.

    In a word of mixed scripts, the first letter with a unique language decides.
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
