"""Combines two texts of the same speech: takes words from the other text where CTC scores them much higher, such as
words of another language. Like ROVER (Fiscus 1997), but CTC decides instead of a vote."""

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
"""Minimum letter similarity for two words to count as spellings of the same word."""


class WordDifference(NamedTuple):
    """A difference between two texts: words `first .. last` of one correspond to `other_first .. other_last` of the
    other."""

    first: int
    last: int
    other_first: int
    other_last: int


def combine(text: str, other: str, log_probs: np.ndarray, spell: Speller, price: float) -> str:
    """Replace words of a text by those of another where CTC prefers them by more than `price`.

    A label decoder writes in one language: a word of another language is misheard, translated or omitted, so that no
    hypothesis may be right everywhere.

    Args:
        text: text of the label decoder.
        other: its text in another language, or CTC's text.
        log_probs: CTC's, `(T, vocabulary)`.
        spell: converts a text to CTC tokens.
        price: minimum gain per difference, in nats.
    """
    words, others = written_words(text), written_words(other)
    places = differences([plain_text(word) for word in words], [plain_text(word) for word in others])
    if not words or not places:
        return text
    changed = [[*words[: p.first], *others[p.other_first : p.other_last], *words[p.last :]] for p in places]
    before, *after = score(log_probs, [spell(join_words(one)) for one in (words, *changed)])
    won = [place for place, chance in zip(places, after, strict=True) if chance - before > price]
    for place in reversed(won):
        replaced = words[place.first : place.last]
        words[place.first : place.last] = _signed(others[place.other_first : place.other_last], replaced)
    if won and text[0].isupper() and words:
        words[0] = f"{words[0][0].upper()}{words[0][1:]}"
    return join_words(words) if won else text


def differences(words: Sequence[str], other: Sequence[str]) -> list[WordDifference]:
    """Differences of two plain texts, in order. Similar words are separate differences, so that adjacent words can be
    replaced independently."""
    found, at, other_at = list[WordDifference](), 0, 0
    for one, two in [*_alike(words, other), (len(words), len(other))]:
        if one > at or two > other_at:
            found.append(WordDifference(at, one, other_at, two))
        if one < len(words) and words[one] != other[two]:
            found.append(WordDifference(one, one + 1, two, two + 1))
        at, other_at = one + 1, two + 1
    return found


def _alike(words: Sequence[str], other: Sequence[str]) -> list[tuple[int, int]]:
    """Index pairs of similar words, in order, with the highest total similarity."""
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
    """Append the punctuation of the replaced words to the new words."""
    if not words or not before or _signs(words[-1][-1]):
        return list(words)
    last = before[-1]
    return [*words[:-1], words[-1] + last[len(last.rstrip(_signs(last))) :]]


def _signs(word: str) -> str:
    """Punctuation characters of a word."""
    return "".join(character for character in word if unicodedata.category(character)[0] == "P")


def join_words(words: Sequence[str]) -> str:
    """Join words with spaces, except next to scripts without spaces."""
    text = ""
    for word in words:
        apart = text and not (is_mixed(text[-1]) or is_mixed(word[0]))
        text += f" {word}" if apart else word
    return text
