"""The script of a character, from its Unicode name."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache

from speech.text.languages import resolve

_BY_NAME = {
    "LATIN": "Latn", "CYRILLIC": "Cyrl", "GREEK": "Grek", "ARABIC": "Arab", "HEBREW": "Hebr", "DEVANAGARI": "Deva",
    "BENGALI": "Beng", "ETHIOPIC": "Ethi", "TIBETAN": "Tibt", "THAANA": "Thaa", "GUJARATI": "Gujr", "ARMENIAN": "Armn",
    "KANNADA": "Knda", "GEORGIAN": "Geor", "KHMER": "Khmr", "LAO": "Laoo", "MALAYALAM": "Mlym", "MYANMAR": "Mymr",
    "ORIYA": "Orya", "GURMUKHI": "Guru", "OL": "Olck", "SINHALA": "Sinh", "TAMIL": "Taml", "TELUGU": "Telu",
    "THAI": "Thai", "HANGUL": "Hang", "HIRAGANA": "Hira", "KATAKANA": "Kana", "CJK": "Hani",
}  # fmt: skip
_PARTS = {"Jpan": {"Hira", "Kana", "Hani"}, "Kore": {"Hang", "Hani"}, "Hans": {"Hani"}, "Hant": {"Hani"}}


@cache
def script(character: str) -> str | None:
    """ISO 15924 code of a character's script; None for shared characters (digits, punctuation, accents) and others."""
    return _BY_NAME.get(unicodedata.name(character, "").split(" ")[0])


@cache
def scripts_of(language: str) -> frozenset[str]:
    """ISO 15924 codes of a language's scripts; Japanese has three. `language` is an ISO 639-3 code."""
    code = resolve(language).script
    return frozenset(_PARTS.get(code, {code}))


def written_in(text: str, languages: Iterable[str]) -> bool:
    """Whether every character of `text` is in a script of one of `languages`, or in no script."""
    known = frozenset[str]().union(*(scripts_of(language) for language in languages))
    return all(script(character) in known for character in text if script(character) is not None)
