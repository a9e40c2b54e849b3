"""Dates in digits, and with names of months."""

from __future__ import annotations

import calendar
import re

from speech.tts.text_front_end.grammar import Grammar
from speech.tts.text_front_end.quantity import ascii_digits
from speech.tts.text_front_end.scanning import SPACE, Language, Scan

_ISO = re.compile(r"(?<![\w-])(\d{4})-(\d{2})-(\d{2})(?:T(?=\d{2}:\d{2})|(?![\w-]))")
_NUMERIC = re.compile(r"(?<![\w./-])(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})(?![\w/-]|\.\d)")
_DAY_MONTH = re.compile(r"(?<![\w./])(\d{1,2})\.(\d{1,2})\.(?![\d\w])")
_ORDINAL = r"(?:st|nd|rd|th|er|\.?º|°|\.)?"


def dates(scan: Scan, language: Language) -> None:
    """Claim dates that exist in the calendar."""
    _iso(scan, language.grammar)
    _numeric(scan, language.grammar)
    _named(scan, language)


def is_date(day: int, month: int, year: int | None) -> bool:
    """Whether the calendar has this day."""
    if not 1 <= month <= 12 or (year is not None and not 1 <= year <= 9999):
        return False
    return 1 <= day <= calendar.monthrange(2000 if year is None else year, month)[1]


def full_year(digits: str) -> int:
    """The year of two or four digits; 69 is 1969, 68 is 2068, as POSIX has it."""
    year = int(digits)
    return year if len(digits) > 2 else year + (2000 if year < 69 else 1900)


def _iso(scan: Scan, grammar: Grammar) -> None:
    for found in scan.found(_ISO):
        year, month, day = (int(group) for group in found.groups())
        if is_date(day, month, year):
            around = scan.around(*found.span())
            scan.claim(*found.span(), grammar.date(day, month, year, around, day_first=not grammar.cldr.month_first))


def _numeric(scan: Scan, grammar: Grammar) -> None:
    month_first = grammar.cldr.month_first
    for found in scan.found(_NUMERIC):
        first, second, year = int(found[1]), int(found[3]), full_year(ascii_digits(found[4]))
        swapped = month_first and found[2] != "."
        day, month = (second, first) if swapped else (first, second)
        if not is_date(day, month, year):
            day, month = month, day
        if is_date(day, month, year):
            around = scan.around(*found.span())
            scan.claim(*found.span(), grammar.date(day, month, year, around, day_first=not month_first))
    if grammar.language == "deu":
        for found in scan.found(_DAY_MONTH):
            day, month = int(found[1]), int(found[2])
            if is_date(day, month, None):
                around = scan.around(*found.span())
                spoken = f"{grammar.ordinal(day, '', around)} {grammar.ordinal(month, '', around)}"
                scan.claim(*found.span(), spoken)


def _named(scan: Scan, language: Language) -> None:
    grammar = language.grammar
    months = grammar.cldr.months
    wide = {grammar.cldr.month(number).lower() for number in range(1, 13)}
    names = "|".join(
        re.escape(name) if name in wide else rf"{re.escape(name)}\.?" for name in sorted(months, key=len, reverse=True)
    )
    of = r"(?:\s(?:de|of|del))?"
    year = rf"(?:(?:,?\s|{of}\s)(\d{{4}})(?![\d\w]|[.,]\d))?"

    def month(written: str) -> int:
        return months[written.lower().rstrip(".")]

    day_first = language.pattern(
        "day month", lambda: rf"(?i)(?<![\w.,/])(\d{{1,2}}){_ORDINAL}{of}\s({names})(?!\w){year}"
    )
    for found in scan.found(day_first):
        whole = None if found[3] is None else int(found[3])
        if is_date(int(found[1]), month(found[2]), whole):
            around = scan.around(*found.span())
            scan.claim(*found.span(), grammar.date(int(found[1]), month(found[2]), whole, around))
    month_first = language.pattern(
        "month day",
        lambda: (
            rf"(?i)(?<!\w)({names})(?!\w)\s(\d{{1,2}})(?:st|nd|rd|th)?(?![\w]|[.,:]\d|{SPACE}[%€$])"
            rf"(?:\s?[-–]\s?(\d{{1,2}})(?![\w:]))?(?:,?\s(\d{{4}})(?![\d\w]|[.,]\d))?"
        ),
    )
    for found in scan.found(month_first) if grammar.language == "eng" else ():
        whole = None if found[4] is None else int(found[4])
        if found[1][0].isupper() and is_date(int(found[3] or found[2]), month(found[1]), whole):
            spoken = grammar.date(int(found[2]), month(found[1]), None if found[3] else whole, day_first=False)
            if found[3]:
                spoken = f"{spoken} {grammar.words.to} {grammar.ordinal(int(found[3]))}"
                spoken = spoken if whole is None else f"{spoken}, {grammar.year(whole)}"
            scan.claim(*found.span(), spoken)
    month_year = language.pattern("month year", lambda: rf"(?i)(?<!\w)({names})(?!\w){of}\s(\d{{4}})(?![\d\w]|[.,]\d)")
    for found in scan.found(month_year):
        if _is_name(found[1], grammar):
            scan.claim(*found.span(), grammar.month_and_year(month(found[1]), int(found[2])))


def _is_name(written: str, grammar: Grammar) -> bool:
    """Whether a month is written as a name: in upper case where the language does so."""
    return written[0].isupper() or grammar.language not in ("eng", "deu")
