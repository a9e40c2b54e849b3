"""Text normalisation for models and for scoring. Versioned: scores of two versions are not comparable.

Both remove punctuation and case. Normalisation for models is language-independent, as in the published models.
Normalisation for scoring depends on the language, so that a difference in case alone is never an error.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from speech.text.case_folding import fold, fold_pair

NORMALIZER_VERSION = "2"

_APOSTROPHES = dict.fromkeys(map(ord, "\u2019\u2018\u02bc\u02b9\u00b4`\u2032\uff07"), "'")
_DROPPED = dict.fromkeys(map(ord, "\u0640\u00ad\u200b\u200c\u200d\ufeff"))
_REWRITTEN = re.compile(f"[{''.join(map(chr, _APOSTROPHES | _DROPPED))}]")  # few texts match; translating is slow
_UNSEEN = re.compile(
    "[\u034f\u061c\u180b-\u180f\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\u20dd-\u20e4\ufe00-\ufe0f"
    "\U000e0100-\U000e01ef]"
)
"""Direction marks, joiners, variation selectors, enclosing marks: they are not letters and do not separate words."""
_JOINED = str.maketrans(
    dict(zip("\u0d23\u0d28\u0d30\u0d32\u0d33\u0d15\u09a4", "\u0d7a\u0d7b\u0d7c\u0d7d\u0d7e\u0d7f\u09ce", strict=True))
)
_OLD_CHILLU = re.compile("([\u0d23\u0d28\u0d30\u0d32\u0d33\u0d15])\u0d4d\u200d|(\u09a4)\u09cd\u200d")
"""Malayalam chillus and the Bengali khanda ta in their older spelling, without code points of their own."""
_LIGATURES = re.compile("[\u0132\u2160-\u216f]")
"""Ĳ and Roman numerals, lower-cased before NFKC splits them: their letter I must not fold to ı in Turkish."""
_OKINA = re.compile("['`\u2018\u2019\u02bc](?=[^\\W\\d_])")
_LONE_APOSTROPHE = re.compile(r"(?<![^ '])'|'(?![^ '])")  # not \w, which lacks combining marks


class _Kept(dict[int, str]):
    """Translation table: a character -> itself, or a space if it separates words. Filled on first use."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        kept = unicodedata.category(character)[0] in "LMN" or character == "'"
        self[code] = character if kept else " "
        return self[code]


_KEPT = _Kept()


def plain_text(text: str) -> str:
    """Normalise a text for models: NFKC, lower case, one space between words.

    Letters, marks, digits and apostrophes within words are kept; all other characters separate words.
    """
    if text.isascii():
        return _words(text.replace("`", "'").lower())
    return _words(unicodedata.normalize("NFC", _rewritten(text).lower()))


def scored_text(text: str, languages: Sequence[str] = ()) -> str:
    """Normalise a text for scoring: like `plain_text`, with language-dependent case folding and no invisible marks.

    To compare two texts, use `scored_texts`, which resolves ambiguous capitals.

    Args:
        languages: ISO 639-3 codes of all languages in the text; () if unknown.
    """
    return fold(_cased(text, languages), languages)


def scored_texts(reference: str, hypothesis: str, languages: Sequence[str] = ()) -> tuple[str, str]:
    """Normalise two texts for comparison; they become equal if only case, punctuation or Unicode encoding differ.

    The reference becomes its `scored_text`, and so does the hypothesis, except that ambiguous capitals are resolved to
    the reference's letters (see `case_folding`). The number of words does not change.

    Args:
        languages: as for `scored_text`.
    """
    return fold_pair(_cased(reference, languages), _cased(hypothesis, languages), languages)


def _cased(text: str, languages: Sequence[str]) -> str:
    """Like `plain_text`, but without lower-casing; the result is still to be folded."""
    if "haw" in languages:  # the okina is a letter in Hawaiian, and an apostrophe elsewhere: o\u02bbzbek
        text = _OKINA.sub("\u02bb", text)
    if text.isascii():
        return _words(text.replace("`", "'"))
    if "\u200d" in text:
        text = _OLD_CHILLU.sub(lambda found: found[0][0].translate(_JOINED), text)
    text = _LIGATURES.sub(lambda found: found[0].lower(), _UNSEEN.sub("", text))
    if "haw" not in languages:
        text = text.replace("\u02bb", "'")
    return _words(unicodedata.normalize("NFC", _rewritten(text)))


def _rewritten(text: str) -> str:
    """Apply NFKC, unify apostrophes and remove invisible characters."""
    if _REWRITTEN.search(text):
        text = text.translate(_APOSTROPHES)
    text = unicodedata.normalize("NFKC", text)
    return text.translate(_APOSTROPHES | _DROPPED) if _REWRITTEN.search(text) else text


def _words(text: str) -> str:
    """Keep letters, marks, digits and apostrophes within words, with one space between words."""
    kept = text.translate(_KEPT)
    if "'" in kept:
        kept = _LONE_APOSTROPHE.sub(" ", kept)
    return " ".join(kept.split())
