"""Abbreviations, and symbols that stand alone."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from speech.tts.text_front_end.grammar import FixedWords
from speech.tts.text_front_end.scanning import Language, Scan

_OPENING = '"“«¿¡('
_UNSPOKEN = ("So", "Sk", "Me", "Mn", "Cf")
"""Categories of emoji and their parts."""
_SYMBOL = re.compile(r"[#@&+=×÷±°§‰%％]|[<>](?=\s?\d)|(?<=\d)[<>]|(?<=\d )[<>]")


def abbreviations(scan: Scan, language: Language) -> None:
    """Claim abbreviations: those before numbers, titles before names, all others.

    The full stop of an abbreviation remains where it ends the sentence too.
    """
    words = language.grammar.words
    numbers = language.pattern(
        "before numbers", lambda: rf"(?<!\w)({_any(words.before_numbers)})(?=\s?(?:\d|[IVX]+\b))"
    )
    for found in scan.found(numbers):
        scan.claim(*found.span(), words.before_numbers[found[1]])
    titles = language.pattern("title", lambda: rf"(?<![\w.])({_any(words.titles)})(?!\w)(?=\s*\S)")
    for found in scan.found(titles):
        following = _next(scan.text, found.end(), _UNSPOKEN)
        if following.isupper() or following.isdecimal() or following == "#" or scan.text[found.end()] == "-":
            scan.claim(*found.span(), words.titles[found[1]])
    ends = language.pattern("endings", lambda: rf"(?<!\w)([^\W\d_]{{2,}}?)({_any(words.endings)})(?!\w)")
    for found in scan.found(ends):
        stop = ends_sentence(found[2], scan.text[found.end() :], words)
        scan.claim(found.start(), found.end() - stop, found[1] + words.endings[found[2]])
    spoken = {_tight(written): said for written, said in words.abbreviations.items()}
    others = language.pattern("abbreviation", lambda: rf"(?<![\w.])({_any(words.abbreviations)})(?!\w)")
    for found in scan.found(others):
        stop = found[1].endswith(".") and ends_sentence(found[1], scan.text[found.end() :], words)
        scan.claim(found.start(), found.end() - stop, spoken[_tight(found[1])])


def ends_sentence(abbreviation: str, behind: str, words: FixedWords) -> bool:
    """Whether the full stop of an abbreviation ends the sentence, from the text behind it."""
    following = _next(behind, 0)
    return not following or (_tight(abbreviation) in {_tight(one) for one in words.final} and following.isupper())


def symbols(scan: Scan, language: Language) -> None:
    """Claim symbols that have a name."""
    names = language.grammar.words.symbols
    for found in scan.found(_SYMBOL):
        symbol = found[0].replace("％", "%")
        following = scan.text[found.end() : found.end() + 1]
        scan.claim(*found.span(), names["#a" if symbol == "#" and following.isalpha() else symbol])


def _next(text: str, position: int, unspoken: tuple[str, ...] = ()) -> str:
    """The next character that is no space, no opening mark and of no `unspoken` category; empty if there is none."""
    for place in range(position, len(text)):
        character = text[place]
        opening = character.isspace() or character in _OPENING
        if not opening and unicodedata.category(character) not in unspoken:
            return character
    return ""


def _tight(abbreviation: str) -> str:
    return "".join(abbreviation.split())


def _any(names: Iterable[str]) -> str:
    longest_first = sorted(names, key=len, reverse=True)
    return "|".join(re.escape(name).replace(r"\ ", "[ \u00a0\u202f]") for name in longest_first) or r"(?!)"
