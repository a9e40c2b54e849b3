"""Texts for Fish-Speech 1.4 and 1.5: what is cleaned out of them before they are read, and how long ones are cut."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator
from enum import StrEnum

LONGEST = 200
"""Bytes of UTF-8 in a turn, unless told otherwise."""
_EMOJI = re.compile("[\U0001f300-\U0001f64f\U0001f680-\U0001f6ff\U0001f1e0-\U0001f1ff]+")
_QUOTES = str.maketrans(dict.fromkeys("‘’", "'"))
_SYMBOLS = str.maketrans(
    {
        **dict.fromkeys("‘’“”《》「」", "'"),
        **dict.fromkeys(":;：；", ","),
        "…": ".",
        **dict.fromkeys("()[]（）【】~～·・—\n", ""),
    }
)
_NUMBER = re.compile(r"\d+\.\d+")
_ENDS, _CLAUSES, _SPACES = ".!?。！？", ",，", " "


class FishVersion(StrEnum):
    """Published generations whose texts, tokens and prompts differ."""

    one_four = "1.4"
    one_five = "1.5"


def cleaned(text: str, version: FishVersion) -> str:
    """A text without emoji and curly quotes; for 1.4 also without brackets and line ends, colons being commas. Of
    repeated commas (1.4: also full stops) one is kept."""
    text = text.strip().translate(_SYMBOLS if version == FishVersion.one_four else _QUOTES)
    text = _EMOJI.sub("", text)
    repeated = "[,.]{2,}" if version == FishVersion.one_four else ",{2,}"
    return re.sub(repeated, lambda match: match[0][0], text)


def turns(text: str, version: FishVersion, longest: int = LONGEST) -> list[str]:
    """Cut a cleaned text into turns of at most `longest` bytes: behind ends of sentences, else behind commas, else
    behind spaces, else anywhere. Turns of punctuation alone are left out."""
    parts: Iterable[str] = [cleaned(text, version)]
    for ends in (_ENDS, _CLAUSES, _SPACES):
        parts = list(_cut_behind(parts, ends, longest))
    found, turn = list[str](), ""
    for part in _cut_anywhere(parts, longest):
        if turn and _bytes(turn) + _bytes(part) > longest:
            found.append(turn)
            turn = ""
        turn += part
    stripped = [own.strip() for own in (*found, turn)]
    return [own for own in stripped if any(not c.isspace() and c not in string.punctuation for c in own)]


def _cut_behind(parts: Iterable[str], ends: str, longest: int) -> Iterator[str]:
    """Cut parts that are too long behind each of `ends`; the point of a decimal number is none."""
    for part in parts:
        if _bytes(part) <= longest:
            yield part
            continue
        points = {match.start() + match[0].index(".") for match in _NUMBER.finditer(part)}
        start = 0
        for place, char in enumerate(part):
            if char in ends and place not in points:
                yield part[start : place + 1]
                start = place + 1
        if start < len(part):
            yield part[start:]


def _cut_anywhere(parts: Iterable[str], longest: int) -> Iterator[str]:
    """Cut parts that are too long as soon as they reach `longest` bytes."""
    for part in parts:
        if _bytes(part) <= longest:
            yield part
            continue
        piece, size = "", 0
        for char in part:
            piece, size = piece + char, size + _bytes(char)
            if size >= longest:
                yield piece
                piece, size = "", 0
        if piece:
            yield piece


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
