"""Amounts of money, with the currency before or behind the number."""

from __future__ import annotations

import re
from collections.abc import Iterable

from speech.tts.text_front_end.scanning import MINUS, NOT_INSIDE, SPACE, Language, Scan

_SYMBOLS = {
    "US$": "USD", "R$": "BRL", "C$": "CAD", "CA$": "CAD", "A$": "AUD", "MX$": "MXN", "$": "USD", "€": "EUR",
    "£": "GBP", "¥": "JPY", "₹": "INR", "₽": "RUB", "₩": "KRW", "₪": "ILS", "₺": "TRY", "₱": "PHP", "₫": "VND",
}  # fmt: skip
_CODES = frozenset("EUR USD GBP JPY CHF BRL CAD AUD CNY INR MXN SEK NOK DKK PLN CZK HUF RUB KRW ZAR ARS CLP COP NZD "
                   "SGD "
                   "HKD ILS".split())  # fmt: skip

_NO_CENTS = r"(?:,[-–—]{1,2})?"
"""How German prices without cents are written: 5,-."""


def money_ranges(scan: Scan, language: Language) -> None:
    """Claim ranges of amounts with the currency before both: $20-30 million. Runs before other ranges."""
    grammar = language.grammar
    pattern = language.pattern(
        "money range",
        lambda: (
            rf"(?<!\w)({_any(_SYMBOLS)}){SPACE}({language.number})\s?[-–]\s?({language.number}){_scale(language)}(?![\d%])"
        ),
    )
    for found in scan.found(pattern):
        low, high = language.quantity(found[2]), language.quantity(found[3])
        amount = grammar.money(high, _SYMBOLS[found[1]], found[4] or "", found[1])
        scan.claim(*found.span(), f"{grammar.number(low)} {grammar.words.to} {amount}")


def _any(names: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(names, key=len, reverse=True)))


def _scale(language: Language) -> str:
    """Regular expression of a large number behind digits, in one group, or of nothing."""
    return rf"(?:{SPACE}({_any(language.grammar.words.scales)})(?!\w))?"


def money(scan: Scan, language: Language) -> None:
    """Claim amounts, then currencies that stand alone."""
    grammar = language.grammar
    symbols, codes = _any(_SYMBOLS), _any(_CODES)
    scales, scale = _any(grammar.words.scales), _scale(language)
    first = language.pattern(
        "money first",
        lambda: (
            rf"(?<!\w)([-−–](?=\D))?({symbols}|(?:{codes})(?=[ \u00a0\u202f\d-])){SPACE}"
            rf"([-−]?{language.number}){_NO_CENTS}{scale}(?!\d)"
        ),
    )
    for found in scan.found(first):
        written = f"{found[1] or ''}{found[3]}"
        quantity = language.quantity(written)
        code = _SYMBOLS.get(found[2], found[2])
        scan.claim(*found.span(), grammar.money(quantity, code, found[4] or "", found[2]))
    of = r"(?: (?:de|di|d'))?"
    last = language.pattern(
        "money last",
        lambda: (
            rf"{NOT_INSIDE}({MINUS}{language.number}){_NO_CENTS}(?:(?:{SPACE}({scales})(?!\w){of})?)(?:{SPACE}|-)({symbols}|(?:{codes})(?!\w))"
        ),
    )
    for found in scan.found(last):
        code = _SYMBOLS.get(found[3], found[3])
        scan.claim(*found.span(), grammar.money(language.quantity(found[1]), code, found[2] or "", found[3]))
    for found in scan.found(language.pattern("currency", lambda: symbols)):
        scan.claim(*found.span(), grammar.currency(_SYMBOLS[found[0]], language.quantity("2").value, found[0]))
