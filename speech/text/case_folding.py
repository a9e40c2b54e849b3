"""Language-dependent case folding: texts that differ only in case become equal, and different words stay different.

Most letters come in pairs. Some capitals stand for several small letters, and only the compared text shows which one
is meant: ΟΧΙ is όχι, STRASSE is Straße, and I is i or ı; but νόμος is not νομός, Masse is not Maße, and ilik is not
ılık.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

_DOTLESS = frozenset({"tur", "aze"})
"""Languages in which I is the capital of ı, and İ the capital of i."""
_TURKIC = {ord("I"): "ı", ord("İ"): "i"}
_IRISH_PREFIX = re.compile(r"(?<!\S)([nt])(?=[AEIOUÁÉÍÓÚ])")
_DOT_ABOVE = "\u0307"
_OTHER_MARKS = "".join(c for c in map(chr, range(0x300, 0x370)) if unicodedata.combining(c) not in (0, 230))
_DOTTED = re.compile(f"([ij\u0268\u029d\u0456\u0458][{_OTHER_MARKS}]*){_DOT_ABOVE}")
_LAST_SIGMA = re.compile(r"(?<=\S)σ(?!\S)")
_LOST = re.compile("[ßı\u0390\u03ac-\u03b0\u03ca-\u03ce\u1f00-\u1fff]")
"""Small letters that are lost when a text is written in capitals."""
_CAPITALS = re.compile("SS|Ss|I|[\u0391-\u03ab]")
_CLUSTER = re.compile("(.)([\u0300-\u036f]*)", re.DOTALL)
_DIAERESIS = "\u0308"
_GREEK = re.compile("[\u0370-\u03ff]")
_POLYTONIC = re.compile("[\u0345\u1f80-\u1fff]")


class _Letter(NamedTuple):
    """A letter of a word, for comparison with a letter of another word."""

    bare: str
    """The letter without marks that capitals may omit. ß counts as two letters, the second with an empty `folded`."""
    folded: str
    vague: bool
    """Whether it is a capital that may stand for other letters than `folded`."""


def fold(text: str, languages: Sequence[str] = ()) -> str:
    """Fold the case of a text.

    Args:
        text: in NFC.
        languages: ISO 639-3 codes of all languages in the text; () if unknown.
    """
    text = _split_prefixes(text, languages)
    dotless = _is_dotless(languages)
    if text.isascii() and not dotless:
        return text.lower()
    return _finished(_folded(text, dotless))


def fold_pair(reference: str, hypothesis: str, languages: Sequence[str] = ()) -> tuple[str, str]:
    """Fold the case of two texts for comparison.

    The reference becomes `fold(reference)`, independent of the hypothesis. Where either text has a capital that stands
    for several small letters, the hypothesis takes the reference's letter.

    Args:
        reference, hypothesis: in NFC.
        languages: as for `fold`.
    """
    folded = fold(reference, languages), fold(hypothesis, languages)
    lost = _LOST.search(folded[0]) or _LOST.search(folded[1])
    if folded[0] == folded[1] or not lost or not (_CAPITALS.search(reference) or _CAPITALS.search(hypothesis)):
        return folded
    dotless = _is_dotless(languages)
    wanted, found = (
        [_letters(word, dotless) for word in _split_prefixes(text, languages).split(" ")]
        for text in (reference, hypothesis)
    )
    bare = ([tuple(letter.bare for letter in word) for word in side] for side in (wanted, found))
    for place, opposite in _beside(*bare):
        if wanted[place] != found[opposite]:
            found[opposite] = _read_as(found[opposite], wanted[place])
    return folded[0], _finished(" ".join("".join(letter.folded for letter in word) for word in found))


def _is_dotless(languages: Sequence[str]) -> bool:
    return bool(languages) and _DOTLESS.issuperset(languages)


def _split_prefixes(text: str, languages: Sequence[str]) -> str:
    """Split Irish prefixes: "nAthair" is "n-athair" in small letters, and hyphens are already spaces here."""
    return _IRISH_PREFIX.sub(r"\1 ", text) if "gle" in languages else text


def _folded(text: str, dotless: bool) -> str:
    """Full Unicode case folding, except that ß is kept."""
    if dotless:
        text = text.translate(_TURKIC)
    if _POLYTONIC.search(text):
        text = unicodedata.normalize("NFD", text)  # a subscript iota becomes a letter, after all marks of the vowel
    return "ß".join(part.casefold() for part in text.replace("ẞ", "ß").split("ß"))


def _finished(text: str) -> str:
    """Apply the rules that need context: dots above i and j, և, and final sigma."""
    text = unicodedata.normalize("NFC", text)
    if _DOT_ABOVE in text:  # i and j have a dot already; Lithuanian repeats it below an accent, folding İ leaves one
        text = unicodedata.normalize("NFC", _DOTTED.sub(r"\1", unicodedata.normalize("NFD", text)))
    text = text.replace("եւ", "եվ")  # և has two capitals, ԵՒ and ԵՎ
    return _LAST_SIGMA.sub("ς", text)


@lru_cache(1 << 14)
def _letters(word: str, dotless: bool) -> tuple[_Letter, ...]:
    shouted = not any(map(str.islower, word))
    found: list[_Letter] = []
    for base, marks in _CLUSTER.findall(unicodedata.normalize("NFD", word)):
        if base in "ßẞ":
            found += [_Letter("s", "ß", False), _Letter("s", "", False)]
        elif base in "sS" and not marks:
            begins = bool(found) and len(found) == 1 and found[0] == ("s", "s", True)  # "Ss" at the start of a word
            found.append(_Letter("s", "s", base == "S" or begins))
        elif base in "iIı" and not dotless and marks in ("", _DOT_ABOVE):
            found.append(_Letter("i", "ı" if base == "ı" and not marks else "i", base == "I" and not marks))
        elif _GREEK.match(base):
            parts = _CLUSTER.findall(unicodedata.normalize("NFD", _folded(base + marks, dotless)))
            found += [_Letter(small, small + signs, shouted) for small, signs in parts]
        else:
            letter = unicodedata.normalize("NFC", _folded(unicodedata.normalize("NFC", base + marks), dotless))
            found.append(_Letter(letter, letter, False))
    return tuple(found)


def _beside(one: Sequence[Hashable], other: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Align two sequences: index pairs of equal and substituted items."""
    if one == other:
        return [(place, place) for place in range(len(one))]
    return [
        (block.src_start + n, block.dest_start + n)
        for block in Levenshtein.opcodes(one, other)
        if block.tag in ("equal", "replace")
        for n in range(block.src_end - block.src_start)
    ]


def _read_as(word: Sequence[_Letter], wanted: Sequence[_Letter]) -> tuple[_Letter, ...]:
    """Replace letters of `word` by those of `wanted` wherever a capital in either word hides the difference."""
    beside = dict(_beside([letter.bare for letter in word], [letter.bare for letter in wanted]))
    found = list(word)
    for place, opposite in beside.items():
        one, other = word[place], wanted[opposite]
        if one.bare != other.bare or one.folded == other.folded:
            continue
        if "ß" in (one.folded, other.folded):
            capitals = wanted[opposite : opposite + 2] if one.folded == "ß" else word[place : place + 2]
            both = beside.get(place + 1) == opposite + 1
            if both and all(letter.bare == "s" and letter.vague for letter in capitals):
                found[place : place + 2] = wanted[opposite : opposite + 2]
        elif (one.vague and _may_stand_for(one.folded, other.folded)) or (
            other.vague and _may_stand_for(other.folded, one.folded)
        ):
            found[place] = other
    return tuple(found)


def _may_stand_for(capital: str, small: str) -> bool:
    """Whether `capital` may stand for `small`. Accents on capitals must match; only missing ones are tolerated.

    A diaeresis is optional: ΜΑΪΟΣ is μάιος.
    """
    if small == "ı":
        return True
    return bool(_GREEK.match(small)) and {*capital[1:]} - {_DIAERESIS} <= {*small[1:]}
