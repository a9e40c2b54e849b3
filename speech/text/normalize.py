"""Texts as the model writes them, and as they are scored. Versioned: scores of two versions are not comparable."""

from __future__ import annotations

import re
import unicodedata

from speech.text.languages import resolve

NORMALIZER_VERSION = "1"

_APOSTROPHES = dict.fromkeys(map(ord, "\u2019\u2018\u02bc\u02b9\u00b4`\u2032\uff07"), "'")
_DROPPED = dict.fromkeys(map(ord, "\u0640\u00ad\u200b\u200c\u200d\ufeff"))
_REWRITTEN = re.compile(f"[{''.join(map(chr, _APOSTROPHES | _DROPPED))}]")  # few texts have any; translating is slow
_LONE_APOSTROPHE = re.compile(r"(?<![^ '])'|'(?![^ '])")  # not \w, which lacks combining marks


class _Kept(dict[int, str]):
    """Character -> itself, or a space in the place of what separates words; found out once for each."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        kept = unicodedata.category(character)[0] in "LMN" or character == "'"
        self[code] = character if kept else " "
        return self[code]


_KEPT = _Kept()


def plain_text(text: str) -> str:
    """NFKC, lower case, letters, marks, digits and apostrophes within words; everything else separates words."""
    if text.isascii():
        text = text.replace("`", "'").lower()
    else:
        if _REWRITTEN.search(text):
            text = text.translate(_APOSTROPHES)
        text = unicodedata.normalize("NFKC", text)
        if _REWRITTEN.search(text):
            text = text.translate(_APOSTROPHES | _DROPPED)
        text = unicodedata.normalize("NFC", text.lower())
    kept = text.translate(_KEPT)
    if "'" in kept:
        kept = _LONE_APOSTROPHE.sub(" ", kept)
    return " ".join(kept.split())


def normalize(text: str, language: str) -> str:
    """`text` in `language` (ISO 639-3) for scoring: as `plain_text`; without spaces where the script has none."""
    plain = plain_text(text)
    return plain if resolve(language).spaces else plain.replace(" ", "")


def scoring_units(text: str, language: str) -> list[str]:
    """What an error rate counts: words, or characters for languages written without spaces."""
    plain = normalize(text, language)
    return plain.split() if resolve(language).spaces else list(plain)
