"""Phonemes of regular English forms in -s, -'s, -ed and -ing by those of their stems, in Kokoro's alphabet."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

_VOICELESS, _SIBILANTS = "ptkfθʃsʧ", "szʃʒʧʤ"
_FLAPPED_BEHIND = "AIOWYiuæɑəɛɪɹʊʌ"
"""Vowels, and ɹ, behind which American voices say t as a flap before a vowel."""
_FLAP = "T"
_SHORT_VOWEL = re.compile(r"(?:^|[^aeiou])[aeiouy][bdgklmnprtz]$")
"""What would be doubled before a vowel."""
_DOUBLED = re.compile(r"([bcdfgklmnprstvxz])\1$")


def inflected(word: str, known: Callable[[str], str | None]) -> str | None:
    """Phonemes of a regular form of a known word; None if it is none.

    Args:
        word: of two letters or more.
        known: phonemes of a stem, None if it is unknown. Empty ones stay empty.
    """
    for stem, ending in _readings(word):
        said = known(stem)
        if said is not None:
            return ending(said) if said else ""
    return None


def with_s(stem: str) -> str:
    """Phonemes of the plural, of the possessive and of the third person."""
    if stem[-1] in _SIBILANTS:
        return stem + "ᵻz"
    return stem + ("s" if stem[-1] in _VOICELESS else "z")


def with_ed(stem: str) -> str:
    """Phonemes of the past."""
    if stem[-1] in "td":
        return _flapped(stem) + "ᵻd"
    return stem + ("t" if stem[-1] in _VOICELESS else "d")


def with_ing(stem: str) -> str:
    """Phonemes of the present participle."""
    return _flapped(stem) + "ɪŋ"


def _flapped(stem: str) -> str:
    flap = len(stem) > 1 and stem[-1] == "t" and stem[-2] in _FLAPPED_BEHIND
    return stem[:-1] + _FLAP if flap else stem


def _readings(word: str) -> Iterator[tuple[str, Callable[[str], str]]]:
    """Stems that a word may be a form of, likely ones first, and how the form sounds."""
    if word.endswith("'s"):
        yield word[:-2], with_s
    elif word.endswith("s") and len(word) > 2 and word[-2] not in "s'":
        yield word[:-1], with_s
        if word.endswith("es") and len(word) > 4:
            yield (word[:-3] + "y" if word.endswith("ies") else word[:-2]), with_s
    elif word.endswith("ed") and len(word) > 4:
        yield from ((stem, with_ed) for stem in _stems(word[:-2]) if not word.endswith("eed") or stem[-1] == "e")
        if word.endswith("ied"):
            yield word[:-3] + "y", with_ed
    elif word.endswith("ing") and len(word) > 4:
        short = word[:-3]
        first = [] if _SHORT_VOWEL.search(short) else [short]  # hop- is hope, sing- is sing
        yield from ((stem, with_ing) for stem in [*first, *_stems(short)] if len(stem) > 2)


def _stems(short: str) -> Iterator[str]:
    """Stems before a vowel: bak- is bake or bak, plann- plan, panick- panic."""
    yield short + "e"
    yield short
    if _DOUBLED.search(short) or short.endswith("ck"):
        yield short[:-1]
