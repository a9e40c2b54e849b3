"""Words that have been said and not written, such as those of another language than the one that a label decoder writes
in: they are taken from another text where CTC hears that one much better."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

from speech.decode.label.joint import Speller, score
from speech.decode.label.timing import written_words
from speech.text.normalize import plain_text
from speech.text.units import is_mixed

_ALIKE = 0.5
"""Share of letters from which two words are spellings of one."""


class WordDifference(NamedTuple):
    """Where two texts differ: words `first .. last` of one are `other_first .. other_last` of the other."""

    first: int
    last: int
    other_first: int
    other_last: int


def mended(text: str, other: str, log_probs: np.ndarray, spell: Speller, price: float) -> str:
    """A text with words of another at those places where CTC finds them likelier by more than a price.

    A label decoder writes in one language: it hears a word of another as one that it knows, translates it or leaves it
    out, and then no text of its beam is right in all places.

    Args:
        text: by the label decoder.
        other: that it has written in another language, or what CTC has heard.
        log_probs: of CTC, `(T, vocabulary)`.
        spell: a text in CTC's tokens.
        price: of a place, in nats.
    """
    words, others = written_words(text), written_words(other)
    places = differences([plain_text(word) for word in words], [plain_text(word) for word in others])
    if not words or not places:
        return text
    changed = [[*words[: p.first], *others[p.other_first : p.other_last], *words[p.last :]] for p in places]
    before, *after = score(log_probs, [spell(joined(one)) for one in (words, *changed)])
    won = [place for place, chance in zip(places, after, strict=True) if chance - before > price]
    for place in reversed(won):
        replaced = words[place.first : place.last]
        words[place.first : place.last] = _signed(others[place.other_first : place.other_last], replaced)
    if won and text[0].isupper() and words:
        words[0] = f"{words[0][0].upper()}{words[0][1:]}"
    return joined(words) if won else text


def differences(words: Sequence[str], other: Sequence[str]) -> list[WordDifference]:
    """Where two plain texts differ, in order. Words that are spelled alike stand by themselves, so that of two
    neighbours one may be taken from the other text."""
    found, at, other_at = list[WordDifference](), 0, 0
    for one, two in [*_alike(words, other), (len(words), len(other))]:
        if one > at or two > other_at:
            found.append(WordDifference(at, one, other_at, two))
        if one < len(words) and words[one] != other[two]:
            found.append(WordDifference(one, one + 1, two, two + 1))
        at, other_at = one + 1, two + 1
    return found


def _alike(words: Sequence[str], other: Sequence[str]) -> list[tuple[int, int]]:
    """Places of words that are spellings of one, in order: those of most similarity together."""
    if not words or not other:
        return []
    similar = cdist(words, other, scorer=Levenshtein.normalized_similarity, dtype=np.float64)
    best = np.zeros((len(words) + 1, len(other) + 1))
    for one in range(len(words)):
        for two in range(len(other)):
            both = best[one, two] + (similar[one, two] if similar[one, two] >= _ALIKE else -np.inf)
            best[one + 1, two + 1] = max(best[one, two + 1], best[one + 1, two], both)
    found, one, two = list[tuple[int, int]](), len(words), len(other)
    while one and two:
        if best[one, two] == best[one - 1, two]:
            one -= 1
        elif best[one, two] == best[one, two - 1]:
            two -= 1
        else:
            one, two = one - 1, two - 1
            found.append((one, two))
    return found[::-1]


def _signed(words: Sequence[str], before: Sequence[str]) -> list[str]:
    """Words with the signs behind those whose place they take."""
    if not words or not before or _signs(words[-1][-1]):
        return list(words)
    last = before[-1]
    return [*words[:-1], words[-1] + last[len(last.rstrip(_signs(last))) :]]


def _signs(word: str) -> str:
    """Punctuation of a word."""
    return "".join(character for character in word if unicodedata.category(character)[0] == "P")


def joined(words: Sequence[str]) -> str:
    """A text of words; none of scripts without spaces has one beside it."""
    text = ""
    for word in words:
        apart = text and not (is_mixed(text[-1]) or is_mixed(word[0]))
        text += f" {word}" if apart else word
    return text
