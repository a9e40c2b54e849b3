"""Full stops that end no sentence."""

from __future__ import annotations

import re
from functools import cache

from speech.tts.text_front_end.grammars.table import GRAMMARS

_INITIAL = re.compile(r"(?:\A|(?<![\d\s])[\s(.\-\"'“„«])[^\W\d_a-z]\.\Z")
_ORDINAL = re.compile(r"(?<![\w.,])\d{1,2}\.\Z")
_LIST = re.compile(r"\s*\(?\d{1,3}\.\Z")
_NUMERALS = ("I", "V", "X")
_LONGEST = 24
"""Most characters of an abbreviation."""


def is_abbreviation(sentence: str, following: str, language: str) -> bool:
    """Whether the full stop at the end of `sentence` belongs to an abbreviation, an initial or an ordinal number.

    Args:
        sentence: a sentence up to and with the full stop.
        following: the first character behind it that is no space or quotation mark; "" at the end of the text.
        language: ISO 639-3.
    """
    if _LIST.match(sentence) or (language == "deu" and _ORDINAL.search(sentence)):
        return True
    ends = sentence[-_LONGEST:]
    final, never, numbered, endings = _forms(language)
    if _behind_a_word(ends, final):
        return not following.isupper()
    if (following.isdecimal() or following in _NUMERALS) and _behind_a_word(ends, numbered):
        return True
    if following.isdecimal() and ends.endswith(endings):
        return True
    return _INITIAL.search(ends) is not None or _behind_a_word(ends, never)


@cache
def _forms(language: str) -> tuple[tuple[str, ...], ...]:
    """Abbreviations of a language that may end a sentence, all others with their beginnings, those before
    numbers, and ends of compounds."""
    if language not in GRAMMARS:
        return (), (), (), ()
    words = GRAMMARS[language].words
    never = {form for written in (*words.titles, *words.abbreviations, *words.scales) for form in _beginnings(written)}
    return tuple(words.final), tuple(never - words.final), tuple(words.before_numbers), tuple(words.endings)


def _beginnings(written: str) -> list[str]:
    """The parts of an abbreviation up to each of its full stops."""
    return [written[: found.end()] for found in re.finditer(r"\.", written)]


def _behind_a_word(text: str, forms: tuple[str, ...]) -> bool:
    """Whether a text ends with one of some forms, as a word of its own."""
    return any(text.endswith(form) and not text[: -len(form)][-1:].isalnum() for form in forms)
