"""A text as it is spoken, and where each spoken word stands in the written text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

_WORD = re.compile(r"\S+")
_CLOSING = ",.;:!?…"


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """One word of a spoken text, without the punctuation around it."""

    text: str
    start: int
    """First character in the spoken text."""
    source_start: int
    """First character of what it stands for in the written text."""
    source_end: int
    """One behind the last character."""

    @property
    def end(self) -> int:
        """One behind the last character in the spoken text."""
        return self.start + len(self.text)


@dataclass(frozen=True, slots=True)
class SpokenForm:
    """A text in words: letters, spaces and punctuation, no digits and no symbols."""

    text: str
    words: tuple[SpokenWord, ...]
    """Its words in order; their places in the written text never go back. Several words may share one place ("$5")."""
    unspoken: tuple[tuple[int, int], ...] = ()
    """Places in the written text that are not spoken, such as emoji and ornaments."""

    def mapped(self, starts: Sequence[int], ends: Sequence[int]) -> SpokenForm:
        """The same with places in another text.

        Args:
            starts: for each character of the text that was normalised, where it starts in the other text.
            ends: for each character, where it ends there.
        """
        words = tuple(
            replace(word, source_start=starts[word.source_start], source_end=ends[word.source_end - 1])
            for word in self.words
        )
        return SpokenForm(self.text, words, tuple((starts[start], ends[end - 1]) for start, end in self.unspoken))


@dataclass(frozen=True, slots=True)
class Claim:
    """A stretch of the written text, and the words it is spoken as."""

    start: int
    end: int
    spoken: str


def written_out(text: str, claims: Sequence[Claim]) -> SpokenForm:
    """Put claims and the text between them together.

    Args:
        claims: in order, without overlap. All other characters of `text` are kept, if they are letters or punctuation.
    """
    out: list[tuple[str, int, int]] = []  # character, its place in `text`
    unspoken: list[tuple[int, int]] = []
    position = 0
    for claim in [*claims, Claim(len(text), len(text), "")]:
        for place in range(position, claim.start):
            kept = _kept(text, place)
            if kept:
                out.append((kept, place, place + 1))
            elif kept is None:
                out.append((" ", place, place + 1))
                unspoken.append((place, place + 1))
        if claim.end > claim.start:
            _append(out, claim, joined=claim.end < len(text) and text[claim.end].isalpha())
        position = claim.end
    return _form(out, _merged(unspoken))


def _append(out: list[tuple[str, int, int]], claim: Claim, joined: bool) -> None:
    """Add a claim's words, apart from letters before and, if `joined`, after it; un' stays with the next word."""
    if not claim.spoken or (out and (_spoken(out[-1][0]) or out[-1][0] in ",;:)")):
        out.append((" ", claim.start, claim.end))
    out += [(character, claim.start, claim.end) for character in claim.spoken]
    if joined and not claim.spoken.endswith("'"):
        out.append((" ", claim.start, claim.end))


def _kept(text: str, place: int) -> str | None:
    """A character as it is spoken: itself, a space, "" for invisible ones, None if it is left out."""
    character = text[place]
    category = unicodedata.category(character)
    if "\ufe00" <= character <= "\ufe0f" or category == "Me":  # variation selectors, keycaps: parts of emoji
        return ""
    if category[0] in "LM":
        return character
    if category[0] == "Z" or category == "Cc":
        return " "
    if character in "\u200c\u200d" and place and unicodedata.category(text[place - 1])[0] in "LM":
        return character  # in scripts whose letters join, it is spelling
    if category == "Cf":
        return ""
    if category[0] == "P" and character not in "*_\\/@#%&†‡•‣‰§{}":
        return character
    return None


def _form(out: Sequence[tuple[str, int, int]], unspoken: tuple[tuple[int, int], ...]) -> SpokenForm:
    """Join characters to a text with single spaces, and find its words."""
    kept: list[tuple[str, int, int]] = []
    for number, one in enumerate(out):
        if one[0] == " " and (not kept or kept[-1][0] == " "):
            continue
        last = number + 1 == len(out) or out[number + 1][0] == " "
        if one[0] in _CLOSING and last and kept and kept[-1][0] == " ":
            kept.pop()
        kept.append(one)
    while kept and kept[-1][0] == " ":
        kept.pop()
    text = "".join(character for character, _, _ in kept)
    words = []
    for found in _WORD.finditer(text):
        start, end = found.span()
        while start < end and not _spoken(text[start]):
            start += 1
        while end > start and not _spoken(text[end - 1]):
            end -= 1
        if start < end:
            first, behind = min(one[1] for one in kept[start:end]), max(one[2] for one in kept[start:end])
            words.append(SpokenWord(text[start:end], start, first, behind))
    return SpokenForm(text, tuple(words), unspoken)


def _spoken(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


def _merged(places: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for start, end in places:
        if merged and merged[-1][1] == start:
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return tuple(merged)
