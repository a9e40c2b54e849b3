"""What `say-as` of SSML asks for: text spoken in a way that is named."""

from __future__ import annotations

import re

from speech.errors import TextError
from speech.text.languages import resolve
from speech.tts.text_front_end.grammar import Grammar
from speech.tts.text_front_end.grammars.table import grammar_of
from speech.tts.text_front_end.number_words import in_words
from speech.tts.text_front_end.quantity import ascii_digits
from speech.tts.text_front_end.rules.dates import full_year, is_date
from speech.tts.text_front_end.rules.telephone import spelled
from speech.tts.text_front_end.rules.times import times
from speech.tts.text_front_end.scanning import MINUS, Language, Scan

WAYS = ("cardinal", "ordinal", "digits", "characters", "spell-out", "date", "time", "telephone")
"""Values of `interpret-as`."""
FORMATS = ("mdy", "dmy", "ymd", "md", "dm", "ym", "my", "y")
"""Values of `format` for dates."""


def said_as(text: str, way: str, date_format: str, language: str) -> str:
    """A text as words.

    Args:
        way: one of `WAYS`.
        date_format: one of `FORMATS`, or "" for the order that the language has.
        language: ISO 639-3.

    Raises:
        TextError: if the text is not what `way` says, or the language does not have it; without a place.
        LanguageError: if the language has no numbers.
    """
    written = text.strip()
    if way in ("characters", "spell-out"):
        return _characters(written, language)
    if way == "digits":
        if not ascii_digits(written) or re.search(r"[^\d\s.,/-]", written):
            raise _differs(text, "digits")
        return " ".join(in_words(int(digit), language) for digit in ascii_digits(written))
    if way in ("cardinal", "ordinal"):
        return _number(written, way, language)
    grammar = grammar_of(language)
    if grammar is None:
        raise TextError(f"{way} is not known in {resolve(language).name}", fix="Write it as words.")
    if way == "date":
        return _date(written, date_format, grammar)
    if way == "time":
        scan = Scan(written)
        times(scan, Language(grammar))
        if len(scan.claims) != 1 or (scan.claims[0].start, scan.claims[0].end) != (0, len(written)):
            raise _differs(text, "a time such as 14:30")
        return scan.claims[0].spoken
    if not ascii_digits(written) or re.search(r"[^\d\s()+./-]", written):
        raise _differs(text, "a telephone number")
    return spelled(written, grammar)


def _characters(written: str, language: str) -> str:
    grammar = grammar_of(language)
    names = grammar.words.symbols if grammar else {}
    spoken = []
    for character in written:
        if character.isdecimal():
            spoken.append(in_words(int(character), language))
        elif character.isalpha() or character in names:
            spoken.append(names.get(character, character))
        elif not character.isspace():
            raise TextError(f"{character!r} has no name in {resolve(language).name}", fix="Leave it out.")
    if not spoken:
        raise _differs(written, "characters")
    return " ".join(spoken)


def _number(written: str, way: str, language: str) -> str:
    grammar = grammar_of(language)
    whole = re.fullmatch(r"\d{1,15}", written)
    if way == "ordinal":
        found = re.fullmatch(rf"(\d{{1,15}})(?:{grammar.ordinal_suffixes})?\.?", written) if grammar else whole
        if found is None:
            raise _differs(written, "a whole number of at most 15 digits")
        if grammar is None:
            return in_words(int(written), language, "ordinal")
        return grammar.ordinal(int(found[1]), found[2] or "")
    if grammar is not None and re.fullmatch(MINUS + (known := Language(grammar)).number, written):
        return grammar.number(known.quantity(written))
    if whole is None:
        raise _differs(written, "a number")
    return in_words(int(written), language)


def _date(written: str, date_format: str, grammar: Grammar) -> str:
    numbers = re.findall(r"\d+", written)
    if re.search(r"[^\d\s./-]", written) or len(numbers) not in (1, 2, 3):
        raise _differs(written, "a date in digits")
    order = date_format or _order(numbers, grammar)
    if len(order) != len(numbers):
        raise _differs(written, f"a date in the order {order}")
    parts = dict(zip(order, numbers, strict=True))
    year = full_year(ascii_digits(parts["y"])) if "y" in parts else None
    if "m" not in parts and year is not None:
        return grammar.year(year)
    month, day = int(parts["m"]), int(parts.get("d", "1"))
    if not is_date(day, month, year):
        raise TextError(f"{written!r} is not a day of the calendar", fix=f"The order of its numbers is {order}.")
    if "d" not in parts and year is not None:
        return grammar.month_and_year(month, year)
    return grammar.date(day, month, year, day_first=not grammar.cldr.month_first)


def _order(numbers: list[str], grammar: Grammar) -> str:
    """The order of a date's numbers: year first if it has four digits, else as in the language."""
    if len(numbers) == 1:
        return "y"
    days = "md" if grammar.cldr.month_first else "dm"
    if len(numbers) == 3:
        return "ymd" if len(numbers[0]) == 4 else f"{days}y"
    if len(numbers[0]) == 4:
        return "ym"
    return "my" if len(numbers[1]) == 4 else days


def _differs(written: str, expected: str) -> TextError:
    return TextError(f"{written[:40]!r} was found, expected {expected}")
