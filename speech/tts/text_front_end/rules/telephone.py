"""Telephone numbers, digit by digit with a pause between groups."""

from __future__ import annotations

import re

from speech.tts.text_front_end.grammar import Grammar
from speech.tts.text_front_end.quantity import ascii_digits
from speech.tts.text_front_end.scanning import Language, Scan

_NUMBER = re.compile(
    r"(?<![\w.,/+-])(?:\+\d{1,3}[ \u00a0.-]?)?(?:\(\d{1,5}\)[ \u00a0.-]?)?"
    r"\d{2,8}(?:[ \u00a0./-]\d{2,8}){0,5}(?![\w]|[.,]\d)"
)
_NORTH_AMERICAN = re.compile(r"(?:1[ .-])?\d{3}[.-]\d{3}[.-]\d{4}|\d{3}-\d{4}")
_ANNOUNCED = re.compile(
    r"(?:t[eéè]l|phone|fax|fon\b|fono|call|dial|llam|appel|compos|chiam|lig(?:ue|ar|o)|m[oó]vil|cell|celular|handy|ruf)",
    re.IGNORECASE,
)
_REACH, _LEAST = 30, 7


def telephone_numbers(scan: Scan, language: Language) -> None:
    """Claim numbers of at least seven digits that start with +, 0 or an area code in brackets, or are announced."""
    for found in scan.found(_NUMBER):
        written = found[0]
        if not _LEAST <= len(ascii_digits(written)) <= 15:
            continue
        announced = _ANNOUNCED.search(scan.text, max(0, found.start() - _REACH), found.start()) is not None
        grouped = re.search(r"\d[ \u00a0./-]\d", written) is not None
        usual = written[0] in "+(" or (written[0] == "0" and grouped) or _NORTH_AMERICAN.fullmatch(written)
        if usual or announced:
            scan.claim(found.start(), found.end(), spelled(written, language.grammar))


def spelled(written: str, grammar: Grammar) -> str:
    """The digits of a telephone number in words, with commas between its groups."""
    groups = [ascii_digits(group) for group in re.findall(r"\d+", written)]
    spoken = ", ".join(grammar.digits(group) for group in groups)
    return f"{grammar.words.symbols['+']} {spoken}" if written.lstrip().startswith("+") else spoken
