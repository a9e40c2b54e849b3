"""Texts as the model writes them, and as they are scored. Versioned: scores of two versions are not comparable.

Both drop punctuation and case. What the model writes knows no language, and stays as the published models have it;
what is scored follows the language, so that a difference of case alone is no error.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from speech.text.case_folding import fold, fold_pair

NORMALIZER_VERSION = "2"

_APOSTROPHES = dict.fromkeys(map(ord, "\u2019\u2018\u02bc\u02b9\u00b4`\u2032\uff07"), "'")
_DROPPED = dict.fromkeys(map(ord, "\u0640\u00ad\u200b\u200c\u200d\ufeff"))
_REWRITTEN = re.compile(f"[{''.join(map(chr, _APOSTROPHES | _DROPPED))}]")  # few texts have any; translating is slow
_UNSEEN = re.compile(
    "[\u034f\u061c\u180b-\u180f\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\u20dd-\u20e4\ufe00-\ufe0f"
    "\U000e0100-\U000e01ef]"
)
"""Marks of direction, joiners, selectors of variants, rings around signs: no letters, and no ends of words either."""
_JOINED = str.maketrans(
    dict(zip("\u0d23\u0d28\u0d30\u0d32\u0d33\u0d15\u09a4", "\u0d7a\u0d7b\u0d7c\u0d7d\u0d7e\u0d7f\u09ce", strict=True))
)
_OLD_CHILLU = re.compile("([\u0d23\u0d28\u0d30\u0d32\u0d33\u0d15])\u0d4d\u200d|(\u09a4)\u09cd\u200d")
"""Malayalam chillus and the Bengali khanda ta as they were written before they had code points of their own."""
_LIGATURES = re.compile("[\u0132\u2160-\u216f]")
"""Ĳ and Roman numerals: NFKC makes several letters of them, of which a Turkish I would no longer be that of i."""
_OKINA = re.compile("['`\u2018\u2019\u02bc](?=[^\\W\\d_])")
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
        return _words(text.replace("`", "'").lower())
    return _words(unicodedata.normalize("NFC", _rewritten(text).lower()))


def scored_text(text: str, languages: Sequence[str] = ()) -> str:
    """As `plain_text`, but without case as the languages have it, and without what nobody sees.

    Two texts that are compared go through `scored_texts`, which knows more.

    Args:
        languages: ISO 639-3, of all of the text; () where they are not known.
    """
    return fold(_cased(text, languages), languages)


def scored_texts(reference: str, hypothesis: str, languages: Sequence[str] = ()) -> tuple[str, str]:
    """Both sides of a comparison; they are equal if they differ in case, punctuation or spelling of code points only.

    The reference is its `scored_text`. So is the hypothesis, but that a capital which may be that of several small
    letters counts as the one that the reference has in its place (see `casing`); words stay as many.

    Args:
        languages: as for `scored_text`.
    """
    return fold_pair(_cased(reference, languages), _cased(hypothesis, languages), languages)


def _cased(text: str, languages: Sequence[str]) -> str:
    """As `plain_text`, with case: what is still to be folded."""
    if "haw" in languages:  # a letter there, and an apostrophe elsewhere: o\u02bbzbek
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
    """NFKC, one kind of apostrophe, nothing that is not seen within words."""
    if _REWRITTEN.search(text):
        text = text.translate(_APOSTROPHES)
    text = unicodedata.normalize("NFKC", text)
    return text.translate(_APOSTROPHES | _DROPPED) if _REWRITTEN.search(text) else text


def _words(text: str) -> str:
    """Letters, marks, digits and apostrophes within words, with one space between words."""
    kept = text.translate(_KEPT)
    if "'" in kept:
        kept = _LONE_APOSTROPHE.sub(" ", kept)
    return " ".join(kept.split())
