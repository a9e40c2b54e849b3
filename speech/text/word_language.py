"""Which of some languages each word is in, as far as its letters tell."""

from __future__ import annotations

from collections.abc import Sequence

from speech.text.scripts import script, scripts_of


def word_languages(words: Sequence[str], languages: Sequence[str]) -> list[str | None]:
    """Of each word the only one of `languages` (ISO 639-3) in its letters; None where several are, or none.

    A word in letters of two scripts is in the language of the first letter that tells.
    """
    return [_language(word, languages) for word in words]


def _language(word: str, languages: Sequence[str]) -> str | None:
    for letter in word:
        written = script(letter)
        if written is None:
            continue
        possible = [language for language in languages if written in scripts_of(language)]
        if len(possible) == 1:
            return possible[0]
    return None
