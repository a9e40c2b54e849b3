"""IPA with ties, as eSpeak NG writes it, to the phoneme alphabet of Kokoro: one character each."""

from __future__ import annotations

import re

TIE = "^"
"""What stands between two letters of one phoneme."""
_TIED = {
    "a^ɪ": "I", "a^ʊ": "W", "d^z": "ʣ", "d^ʒ": "ʤ", "e^ɪ": "A", "o^ʊ": "O", "ə^ʊ": "Q", "s^s": "S", "t^s": "ʦ",
    "t^ʃ": "ʧ", "ɔ^ɪ": "Y", "^": "", "-": "",
}  # fmt: skip
"""The table of misaki, Kokoro's own front end."""
_NEAREST = {"deu": {"ʏ": "y", "ɾ": "ʁ"}}
"""Phonemes of a language that no voice was taught -> the nearest that some voice was."""
_SWITCH = re.compile(rf"\([a-z{re.escape(TIE)}-]+\)")
"""eSpeak NG's marks of words that it says in another language."""


def symbols_of_ipa(ipa: str, language: str) -> str:
    """The symbols of a text in IPA; spaces between words stay.

    Args:
        ipa: with stress marks, and `TIE` between the letters of one phoneme.
        language: ISO 639-3.
    """
    symbols = " ".join(_SWITCH.sub("", ipa).split())
    for tied, one in {**_TIED, **_NEAREST.get(language, {})}.items():
        symbols = symbols.replace(tied, one)
    return symbols
