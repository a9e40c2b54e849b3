"""Numbers without a unit: ordinals, decades, ranges, fractions, versions, plain numbers, digits of any script."""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

from speech.tts.text_front_end.grammar import Grammar
from speech.tts.text_front_end.quantity import Quantity, ascii_digits
from speech.tts.text_front_end.scanning import MINUS, NOT_INSIDE, Language, Scan

_RANGE = re.compile(r"(?<=[\d%€$°])\s?[-–—‑]\s?(?=[\d€$£])")
_FRACTION = re.compile(r"(?<![\w./,])(?:(\d{1,3})[ \u00a0])?(\d{1,3})[/⁄](\d{1,3})(?![\w/]|[.,]\d)")
_VULGAR = re.compile(r"(\d{1,6})?\s?([¼-¾⅐-⅞↉])")
_VERSION = re.compile(r"(?<![\d.])\d+(?:\.\d+){2,}(?![\w]|\.\d)")
_POINT = re.compile(r"(?<![\w.,])\.(\d{1,9})(?![\w]|[.,]\d)")
_POWER = re.compile(r"(?<=[^\W\d_])[²³]")
_NUMERIC = re.compile(r"\d+|[^\W_]")
_VERSION_OF = re.compile(r"(?<=[^\W\d_])\d+(?:\.\d+)+(?![\w]|\.\d)")
_TIGHT = re.compile(
    r"(?<=\d)[-–‑](?=[^\W\d_])|(?<=[^\W\d_])[-–‑](?=\d)|(?<=[\w$€£¥%°])/(?=\w)|(?<=\d):(?=\d)|(?<=\d)['’′](?=\d)"
    r"|(?<![^\W_])['’](?=\d)|(?<=[^\W\d_])[-–‑](?=[^\W\d_])"
)
_SERIAL = re.compile(r"(?<![\w-])\d+(?:-\d+){3,}(?![\w-])")
_GERMAN_ORDINAL = re.compile(r"(?<![\w.,])(\d{1,3})(?:\.(?= [^\W\d_])|(?=\.\s*\Z))")
_DETERMINERS = frozenset("als der die das den dem des am im zum zur vom beim ein eine einem einen einer jeder jede "
                         "jedes jeden "
                         "sein seine seinem seinen ihr ihre ihrem ihren mein meine meinem meinen unser "
                         "unsere".split())  # fmt: skip


def ranges(scan: Scan, language: Language) -> None:
    """Claim the dash between two numbers. Runs before what it joins."""
    for found in scan.found(_RANGE):
        scan.claim(*found.span(), language.grammar.words.to)


def ordinals(scan: Scan, language: Language) -> None:
    """Claim ordinal numbers and decades."""
    grammar = language.grammar
    if grammar.language == "deu":
        _german_ordinals(scan, grammar)
    pattern = language.pattern("ordinal", lambda: rf"(?<![\w.,/])(\d{{1,6}}){grammar.ordinal_suffixes}")
    for found in scan.found(pattern):
        around = scan.around(*found.span())
        number = int(found[1])
        spoken = grammar.ordinal(number, found[2], around) if number else grammar.cardinal(number)
        scan.claim(*found.span(), spoken)
    if grammar.decades:
        decade = language.pattern("decade", lambda: rf"(?<![\w.,/])['’]?{grammar.decades}")
        for found in scan.found(decade):
            scan.claim(*found.span(), grammar.decade(int(found[1])))


def _german_ordinals(scan: Scan, grammar: Grammar) -> None:
    """Claim digits with a full stop behind an article or the like: der 3. Versuch."""
    for found in scan.found(_GERMAN_ORDINAL):
        around = scan.around(*found.span())
        if around.last in _DETERMINERS or around.after in ("Jahrhundert", "Jahrhunderts", "Jh"):
            spoken = grammar.ordinal(int(found[1]), "", around)
            if around.after in ("Jahrhundert", "Jh") and spoken.endswith("r"):
                spoken = f"{spoken[:-1]}s"
            scan.claim(*found.span(), spoken)


def fractions(scan: Scan, language: Language) -> None:
    """Claim fractions below one, alone or behind a whole number."""
    grammar = language.grammar
    for found in scan.found(_FRACTION):
        numerator, denominator = int(found[2]), int(found[3])
        if 0 < numerator < denominator and denominator <= 100:
            scan.claim(*found.span(), _with_whole(grammar, found[1], numerator, denominator))
    for found in scan.found(_VULGAR):
        value = Fraction(unicodedata.numeric(found[2])).limit_denominator(10)
        if value.numerator and value < 1:
            scan.claim(*found.span(), _with_whole(grammar, found[1], value.numerator, value.denominator))


def _with_whole(grammar: Grammar, whole: str | None, numerator: int, denominator: int) -> str:
    if whole is None:
        return grammar.fraction(numerator, denominator)
    return grammar.mixed(int(whole), numerator, denominator)


def plain_numbers(scan: Scan, language: Language) -> None:
    """Claim all other digits."""
    grammar = language.grammar
    for found in scan.found(_POWER):
        scan.claim(*found.span(), grammar.words.symbols[found[0]])
    for found in scan.found(_POINT) if grammar.cldr.decimal == "." else ():
        scan.claim(*found.span(), f"{grammar.words.point} {grammar.digits(ascii_digits(found[1]))}")
    for pattern in (_VERSION, _VERSION_OF):
        for found in scan.found(pattern):
            if pattern is _VERSION and language.pattern("whole number", lambda: language.number).fullmatch(found[0]):
                continue  # groups of three digits
            point = f" {grammar.words.symbols['.']} "
            spoken = point.join(grammar.number(Quantity(ascii_digits(part))) for part in found[0].split("."))
            scan.claim(*found.span(), spoken)
    for found in scan.found(language.pattern("number", lambda: rf"{NOT_INSIDE}{MINUS}{language.number}")):
        around = scan.around(*found.span())
        spoken, end = grammar.plain(language.quantity(found[0]), around), found.end()
        if spoken.endswith("'"):
            end += len(scan.text) - end - len(scan.text[end:].lstrip())
        scan.claim(found.start(), end, spoken)
    for found in scan.found(_NUMERIC):
        if found[0].isdecimal():
            scan.claim(*found.span(), grammar.number(Quantity(ascii_digits(found[0]))))
        elif unicodedata.category(found[0])[0] == "N":
            scan.claim(*found.span(), numeral_in_words(found[0], grammar))


def numeral_in_words(character: str, grammar: Grammar) -> str:
    """A character that means a number but is no digit, such as ½ and ④, in words."""
    value = Fraction(unicodedata.numeric(character)).limit_denominator(1000)
    if value.denominator == 1:
        return grammar.cardinal(int(value))
    return grammar.fraction(value.numerator, value.denominator)


def tight_signs(scan: Scan, language: Language) -> None:
    """Claim signs between words and numbers: dashes, slashes, colons and apostrophes without spaces."""
    words = language.grammar.words
    for found in scan.found(_TIGHT):
        start, end = found.span()
        sign = found[0]
        spoken = ""
        if sign in "-–‑" and not (scan.is_claimed(start - 1) and scan.is_claimed(end)):
            if scan.text[start - 1].isalpha() and scan.text[end].isalpha():
                continue  # a hyphen within a word
        elif sign in "-–‑":
            spoken = words.to
        elif sign == ":":
            spoken = words.ratio
        elif sign == "/" and scan.is_claimed(start - 1) and not scan.text[start - 1].isdecimal():
            spoken = words.per
        scan.claim(start, end, spoken)


def serial_numbers(scan: Scan, language: Language) -> None:
    """Claim at least four groups of digits with hyphens between them, digit by digit: an ISBN."""
    for found in scan.found(_SERIAL):
        groups = re.findall(r"\d+", found[0])
        spoken = ", ".join(language.grammar.digits(ascii_digits(group)) for group in groups)
        scan.claim(*found.span(), spoken)
