"""Display width of text and permitted line breaks."""

from __future__ import annotations

import unicodedata

_NO_START = frozenset(
    "、。，．・：；？！％」』】〕〉》）］｝”’…‥々〻ーゝゞヽヾ〜～"
    "ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶㇰㇱㇲㇳㇴㇵㇶㇷㇸㇹㇺㇻㇼㇽㇾㇿ"
    "ะาำๅๆฯະາຳຯໆ"
    ",.:;?!%)]}»›"
)
"""Characters that may not begin a line: closing marks, small kana, length and repetition marks, trailing vowels."""
_NO_END = frozenset("「『【〔〈《（［｛“‘" + "เแโใไເແໂໃໄ" + "([{«‹")
"""Characters that may not end a line: opening marks, vowels written before their consonant."""


def columns(text: str) -> int:
    """Width in columns of a fixed-width screen: East Asian wide characters take two, combining marks none."""
    return sum(map(_columns, unicodedata.normalize("NFC", text)))


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def may_break(before: str, after: str) -> bool:
    """Whether a line may break between two texts in a script written without spaces.

    Args:
        before: text before the break, at least one character.
        after: text after the break, at least one character.
    """
    if unicodedata.category(after[0]) in ("Mn", "Me", "Mc", "Cf") or unicodedata.category(before[-1]) == "Cf":
        return False
    return after[0] not in _NO_START and before[-1] not in _NO_END


def pieces(text: str) -> list[str]:
    """Split a text without spaces wherever a line may break."""
    found: list[str] = []
    for character in text:
        if found and not may_break(found[-1], character):
            found[-1] += character
        else:
            found.append(character)
    return found
