"""Where people break off: in front of what frequent words announce."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from speech.text.normalize import plain_text

_FREQUENT = 40
"""So many of a language's words count as frequent: articles, prepositions, conjunctions, auxiliaries."""
_WEIGHT = 4.0
"""Of a place behind a frequent word, beside 1 behind another one."""
_OPEN = (",", ";", ":", "-", "–", "—", "…", "...", "、", "，", "；", "：")
"""What a text ends with that goes on."""


def ends_openly(text: str) -> bool:
    """Whether a text as people wrote it goes on behind its end."""
    return text.rstrip().rstrip("\"'»”’)").endswith(_OPEN)


def frequent_words(texts: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """The most frequent words, in small letters, of each language: in most of them these are what holds sentences
    together.

    Args:
        texts: language and text.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for code, text in texts:
        counts[code].update(plain_text(text).split())
    return {code: frozenset(word for word, _ in own.most_common(_FREQUENT)) for code, own in counts.items()}


def cut_place(words: Sequence[str], frequent: frozenset[str], rng: random.Random) -> int:
    """How many of two or more words are left where somebody breaks off: at least one, and not all."""
    weights = [_WEIGHT if plain_text(word) in frequent else 1.0 for word in words[:-1]]
    return rng.choices(range(1, len(words)), weights)[0]
