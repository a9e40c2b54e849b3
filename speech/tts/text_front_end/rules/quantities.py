"""Numbers with percent signs and units, and numbers of millions."""

from __future__ import annotations

import re

from speech.tts.text_front_end.scanning import MINUS, NOT_INSIDE, SPACE, Language, Scan

_WORDS_TOO = {"spa": {"ha", "a"}, "por": {"há"}, "fra": {"a"}, "ita": {"ha"}}
"""Symbols of units that are frequent words of a language."""


def quantities(scan: Scan, language: Language) -> None:
    """Claim numbers together with what they count, if that is a symbol."""
    grammar = language.grammar
    number = rf"{NOT_INSIDE}({MINUS}{language.number})"
    for found in scan.found(language.pattern("percent", lambda: rf"{number}{SPACE}[%％]")):
        scan.claim(*found.span(), grammar.percentage(language.quantity(found[1])))
    words = _WORDS_TOO.get(grammar.language, set())
    symbols = {symbol: name for symbol, name in grammar.cldr.symbols.items() if symbol not in words}
    names = "|".join(map(re.escape, sorted(symbols, key=len, reverse=True)))
    unit = language.pattern("unit", lambda: rf"{number}(?:{SPACE}|-)({names})(?![\w²³/'’])")
    for found in scan.found(unit):
        scan.claim(*found.span(), grammar.counted(language.quantity(found[1]), symbols[found[2]]))
    scales = "|".join(
        re.escape(scale) for scale in sorted(grammar.words.scales, key=len, reverse=True) if len(scale) > 1
    )
    for found in scan.found(language.pattern("scale", lambda: rf"{number}{SPACE}({scales})(?!\w)")):
        scan.claim(*found.span(), grammar.scaled(language.quantity(found[1]), found[2], scan.around(*found.span())))
