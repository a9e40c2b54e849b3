"""How wide a text is on a screen, and where a line of it may end."""

from __future__ import annotations

import unicodedata

_NO_START = frozenset(
    "、。，．・：；？！％」』】〕〉》）］｝”’…‥々〻ーゝゞヽヾ〜～"
    "ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶㇰㇱㇲㇳㇴㇵㇶㇷㇸㇹㇺㇻㇼㇽㇾㇿ"
    "ะาำๅๆฯະາຳຯໆ"
    ",.:;?!%)]}»›"
)
"""Begins no line: closing marks, small kana, marks of length and repetition, vowels written after their consonant."""
_NO_END = frozenset("「『【〔〈《（［｛“‘" + "เแโใไເແໂໃໄ" + "([{«‹")
"""Ends no line: opening marks, vowels written before their consonant."""


def columns(text: str) -> int:
    """Columns of a fixed-width screen: East Asian wide characters take two, combining marks none."""
    return sum(map(_columns, unicodedata.normalize("NFC", text)))


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def may_break(before: str, after: str) -> bool:
    """Whether a line may end between two neighbours of a script that is written without spaces.

    Args:
        before: text that ends there, at least one character.
        after: text that begins there, at least one character.
    """
    if unicodedata.category(after[0]) in ("Mn", "Me", "Mc", "Cf") or unicodedata.category(before[-1]) == "Cf":
        return False
    return after[0] not in _NO_START and before[-1] not in _NO_END


def pieces(text: str) -> list[str]:
    """A text without spaces, cut wherever a line of it may end."""
    found: list[str] = []
    for character in text:
        if found and not may_break(found[-1], character):
            found[-1] += character
        else:
            found.append(character)
    return found
