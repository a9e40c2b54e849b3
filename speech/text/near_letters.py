"""Find the vocabulary pieces nearest to a letter that the vocabulary lacks, by Unicode names.

Most letter names begin with their sound: GEORGIAN LETTER BAN is a [b], GREEK SMALL LETTER ALPHA an [a]. `_SOUNDS` lists
the exceptions, such as ETA or the Cyrillic EL. Letters that differ only by a mark are nearest.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np
from rapidfuzz.distance import Indel
from rapidfuzz.process import cdist

from speech.text.vocabulary import WORD_START

_NAME = re.compile(
    r"(?P<script>[A-Z]+) (?:SMALL |CAPITAL )?(?:LETTER|LIGATURE|VOWEL SIGN|SYLLABLE) "
    r"(?:SMALL )?(?P<rest>.+)"
)
_QUALIFIERS = {
    "FINAL", "SHORT", "SHARP", "DOTLESS", "VOCALIC", "INDEPENDENT", "UKRAINIAN", "BYELORUSSIAN-UKRAINIAN", "FARSI",
    "CANDRA", "LONG", "OPEN", "DOUBLE",
}  # fmt: skip
_SYLLABARIES = {"HIRAGANA", "KATAKANA", "HANGUL", "ETHIOPIC", "CHEROKEE", "YI", "VAI"}
_SOUNDS = {
    "GREEK BETA": "v", "GREEK ETA": "i", "GREEK UPSILON": "i", "GREEK CHI": "x", "GREEK XI": "ks", "GREEK PSI": "ps",
    "GREEK PHI": "f",
    "CYRILLIC IE": "e", "CYRILLIC IO": "jo", "CYRILLIC YU": "ju", "CYRILLIC YA": "ja", "CYRILLIC YERU": "i",
    "CYRILLIC HA": "x", "CYRILLIC EL": "l", "CYRILLIC EM": "m", "CYRILLIC EN": "n", "CYRILLIC ER": "r",
    "CYRILLIC ES": "s", "CYRILLIC EF": "f", "CYRILLIC HARD": "", "CYRILLIC SOFT": "", "CYRILLIC JE": "j",
    "CYRILLIC YI": "i",
    "ARMENIAN CA": "ts", "ARMENIAN CO": "ts", "ARMENIAN JA": "dz", "ARMENIAN GHAD": "ɣ",
    "GEORGIAN CAN": "ts", "GEORGIAN CIL": "ts", "GEORGIAN JIL": "dz", "GEORGIAN GHAN": "ɣ",
    "HEBREW AYIN": "a", "HEBREW HET": "x", "HEBREW YOD": "i",
    "ARABIC KHAH": "x", "ARABIC THAL": "d", "ARABIC GHAIN": "ɣ", "ARABIC TCHEH": "tʃ", "ARABIC JEH": "ʒ",
    "ARABIC YEH": "i", "ARABIC HAMZA": "", "ARABIC AIN": "a",
    "LATIN C": "k", "LATIN J": "j", "LATIN X": "ks", "LATIN Y": "i", "LATIN ETH": "d", "LATIN ENG": "n",
    "LATIN SCHWA": "e", "CYRILLIC SCHWA": "e", "THAI SARA": "a",
}  # fmt: skip
"""Script and letter name -> sounds, for letters whose name does not begin with their sound."""
_SPELLINGS = {
    "SHCH": "ʃ", "SH": "ʃ", "CH": "tʃ", "ZH": "ʒ", "TS": "ts", "DZH": "dʒ", "DZ": "dz", "JH": "dʒ", "PH": "p",
    "TH": "t", "KH": "k", "GH": "g", "DH": "d", "BH": "b", "RH": "r",
    "C": "tʃ", "J": "dʒ", "Q": "k", "Y": "j",
}  # fmt: skip
"""English spelling in a letter name -> sounds; other letters stand for themselves."""
_RELATED = {
    "ʃ": "s", "ʒ": "zʃ", "x": "hk", "ɣ": "gh", "h": "x", "w": "vu", "v": "wb", "j": "i", "i": "j", "f": "v", "b": "p",
    "p": "b", "d": "t", "t": "d", "g": "k", "k": "g", "z": "s", "s": "z",
}  # fmt: skip
"""Sound -> similar sounds."""
_PHONETIC, _LIKE, _ELSEWHERE = 0.9, 0.8, 0.8
LEAST = 0.5
"""Minimum likeness of a near piece."""


def likeness(tokens: Sequence[str], pieces: Sequence[str]) -> np.ndarray:
    """Return the similarity of each piece to each token, `(tokens, pieces)` from 0 to 1.

    1: same letters, ignoring marks; 0.9: same sounds; less for other pieces, and if only one of the two begins a word.
    """
    if not tokens or not pieces:
        return np.zeros((len(tokens), len(pieces)))
    heard = [sounds(piece) for piece in pieces]
    found = _PHONETIC * _alike([sounds(token) for token in tokens], heard)
    for row, token in enumerate(tokens):
        own = sounds(token)
        other = [own[:n] + like + own[n + 1 :] for n, sound in enumerate(own) for like in _RELATED.get(sound, "")]
        if other:
            found[row] = np.maximum(found[row], _PHONETIC * _LIKE * _alike(other, heard).max(axis=0))
    bare = np.array([_bare(piece) or "-" for piece in pieces])
    begins = np.array([piece.startswith(WORD_START) for piece in pieces])
    for row, token in enumerate(tokens):
        found[row][bare == _bare(token)] = 1.0
        found[row][begins != token.startswith(WORD_START)] *= _ELSEWHERE
    return found


def sounds(text: str) -> str:
    """Rough phonetic transcription, one character per sound; characters without a known sound are dropped."""
    return "".join(map(_sound, unicodedata.normalize("NFKC", text.lower())))


def _alike(some: Sequence[str], others: Sequence[str]) -> np.ndarray:
    """Pairwise string similarity, `(some, others)` from 0 to 1; 0 if either string is empty."""
    found = cdist(some, others, scorer=Indel.normalized_similarity, dtype=np.float64)
    loud = np.outer([bool(text) for text in some], [bool(text) for text in others])
    return np.asarray(found * loud)


def _bare(text: str) -> str:
    """Case-folded letters without marks and word start; "ς" becomes "σ"."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if unicodedata.category(c)[0] in "LN")


@cache
def _sound(character: str) -> str:
    match = _NAME.fullmatch(unicodedata.name(character, ""))
    if match is None:
        return ""
    word = next((w for w in match["rest"].split(" ") if w not in _QUALIFIERS), "")
    known = _SOUNDS.get(f"{match['script']} {word}")
    if known is not None:
        return known
    read = _read(word)
    if match["script"] in _SYLLABARIES or set(word) <= set("AEIOU"):
        return "".join(sound for n, sound in enumerate("".join(read)) if n == 0 or sound != "".join(read)[n - 1])
    return read[0] if read else ""


def _read(word: str) -> list[str]:
    """Sounds of a letter name spelled in English."""
    found, place = [], 0
    while place < len(word):
        size = next((n for n in (4, 3, 2) if word[place : place + n] in _SPELLINGS), 1)
        part = word[place : place + size]
        found.append(_SPELLINGS.get(part, part.lower()))
        place += size
    return found
