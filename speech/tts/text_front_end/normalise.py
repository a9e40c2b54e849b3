"""Written text to the words that are spoken."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache, partial

from speech.errors import LanguageError
from speech.text.languages import resolve
from speech.tts.text_front_end.grammars.table import grammar_of
from speech.tts.text_front_end.number_words import MOST_DIGITS, code_of, in_words
from speech.tts.text_front_end.places import place
from speech.tts.text_front_end.quantity import ascii_digits
from speech.tts.text_front_end.rules.abbreviations import abbreviations, symbols
from speech.tts.text_front_end.rules.addresses import addresses
from speech.tts.text_front_end.rules.dates import dates
from speech.tts.text_front_end.rules.money import money, money_ranges
from speech.tts.text_front_end.rules.numbers import (
    fractions,
    ordinals,
    plain_numbers,
    ranges,
    serial_numbers,
    tight_signs,
)
from speech.tts.text_front_end.rules.quantities import quantities
from speech.tts.text_front_end.rules.roman import roman_numerals
from speech.tts.text_front_end.rules.telephone import telephone_numbers
from speech.tts.text_front_end.rules.times import times
from speech.tts.text_front_end.scanning import Language, Scan
from speech.tts.text_front_end.spoken_form import SpokenForm, written_out

_WORD_RULES = (addresses, roman_numerals, abbreviations, tight_signs, money, symbols)
"""Those of `_RULES` that find something in text without digits."""
_RULES = (
    addresses, dates, telephone_numbers, serial_numbers, money_ranges, ranges, ordinals, times, money, fractions,
    quantities, roman_numerals, abbreviations, plain_numbers, tight_signs, symbols,
)  # fmt: skip
"""The more particular first: each leaves alone what one before it has claimed."""
_PLAIN = re.compile(r"(?<![^\s(\[\"'“«¿¡])([-−–]?)(\d+(?:\.\d+)?)(?=[,;:!?)\]\"'”»…]*(?:\s|\Z)|\.(?:\s|\Z))")
"""A number that cannot be part of anything else."""


def normalise(text: str, language: str, locate: Callable[[int], str] | None = None) -> SpokenForm:
    """The words of a text in one language, each with its place in `text`.

    English, Spanish, French, Italian, Portuguese, German have numbers, dates, times, money, units, abbreviations,
    Roman numerals, telephone numbers and addresses. Other languages that num2words knows have whole and decimal numbers
    that stand alone. In all languages, emoji and ornaments are left out (`SpokenForm.unspoken`): CLDR's names of emoji
    are not in Babel, and those of Unicode are in English.

    Args:
        language: a name that `speech.text.languages.resolve` knows.
        locate: names the place of a character for errors; by default its line and column in `text`.

    Raises:
        LanguageError: for digits that cannot be said in the language, with their place.
        ConfigError: if num2words or Babel are needed and missing.
    """
    code = resolve(language).code
    scan = Scan(text)
    known = _language(code)
    if known is None:
        _plain_numbers_only(scan, code, locate or partial(place, text))
    else:
        numeric = any(character.isnumeric() for character in text)
        for rule in _RULES if numeric else _WORD_RULES:
            rule(scan, known)
    return written_out(text, scan.claims)


@cache
def _language(code: str) -> Language | None:
    grammar = grammar_of(code)
    return None if grammar is None else Language(grammar)


def _plain_numbers_only(scan: Scan, language: str, locate: Callable[[int], str]) -> None:
    """Claim numbers that stand alone.

    Raises:
        LanguageError: if there are other digits, or the language has no numbers.
    """
    text = scan.text
    name = resolve(language).name
    if any(unicodedata.category(character)[0] == "N" for character in text) and code_of(language) is None:
        first = next(n for n, character in enumerate(text) if unicodedata.category(character)[0] == "N")
        raise LanguageError(
            f"digits cannot be said in {name}: {_word(text, first)!r}", where=locate(first),
            fix="Write numbers as words.",
        )  # fmt: skip
    for found in scan.found(_PLAIN):
        whole, _, fraction = found[2].partition(".")
        digits = ascii_digits(whole)
        if found[1] or len(digits) > MOST_DIGITS or (len(digits) > 1 and digits[0] == "0"):
            continue
        if not fraction:
            scan.claim(*found.span(), in_words(int(digits), language))
            continue
        spoken = in_words(f"{digits}.{ascii_digits(fraction)}", language)
        if spoken != in_words(int(digits), language):  # some converters lose what is behind the point
            scan.claim(*found.span(), spoken)
    taken = {position for claim in scan.claims for position in range(claim.start, claim.end)}
    for position, character in enumerate(text):
        if unicodedata.category(character)[0] == "N" and position not in taken:
            raise LanguageError(
                f"only plain numbers can be said in {name}, not {_word(text, position)!r}", where=locate(position),
                fix="Write it as words.",
            )  # fmt: skip


def _word(text: str, position: int) -> str:
    """The word at a position, at most 40 characters."""
    start = len(text[:position]) - len(re.split(r"\s", text[:position])[-1])
    return re.split(r"\s", text[start:])[0][:40]
