"""Phonemes of a sentence, and which of them each word has."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from itertools import accumulate, compress
from typing import Protocol

from speech.tts.text_front_end.spoken_form import SpokenForm, SpokenWord

_MARKS = re.compile(r"\s*([;:,.!?¡¿—…\"«»“”()]+)\s*")
_SPOKEN_MARKS = {"«": "“", "»": "”", "¡": "", "¿": ""}
_OPENING = {"“", "("}
_CUT_BEHIND = ";:,.!?…—"


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """Phonemes of a stretch of words."""

    symbols: str
    """One character for each phoneme, stress mark, space and punctuation mark."""
    words: tuple[tuple[int, int], ...]
    """For each word its first symbol, and one behind its last."""

    def within(self, alphabet: Container[str]) -> Pronunciation:
        """The same without symbols that are not in an alphabet."""
        kept = [symbol in alphabet for symbol in self.symbols]
        place = [0, *accumulate(kept)]
        symbols = "".join(compress(self.symbols, kept))
        return Pronunciation(symbols, tuple((place[start], place[end]) for start, end in self.words))

    def cut(self, most: int) -> list[Pronunciation]:
        """Pieces of at most `most` symbols, cut between words: behind punctuation if there is some in the second half,
        else behind a space. A word that is longer is cut anywhere. A word lies in the piece in which it begins."""
        symbols, found, start = self.symbols, [], 0
        while len(symbols) - start > most:
            marks = [n for n in range(start + most // 2, start + most) if symbols[n] in _CUT_BEHIND]
            spaces = [n for n in range(start + 1, start + most) if symbols[n] == " "]
            end = (marks or spaces or [start + most - 1])[-1] + 1
            found.append((start, end))
            start = end
        return [self._part(first, last) for first, last in [*found, (start, len(symbols))]]

    def _part(self, first: int, last: int) -> Pronunciation:
        own = [(start, end) for start, end in self.words if first <= start < last]
        words = tuple((start - first, min(end, last) - first) for start, end in own)
        return Pronunciation(self.symbols[first:last], words)


class Pronouncer(Protocol):
    """Knows how words are pronounced."""

    def __call__(self, spoken: SpokenForm, language: str) -> Pronunciation:
        """The phonemes of words in a language (ISO 639-3).

        Raises:
            LanguageError: if the language is not known.
        """


def pronounced(spoken: SpokenForm, phonemes: Callable[[str], str]) -> Pronunciation:
    """Pronounce what stands between punctuation marks at once, so that sounds of neighbouring words can merge, and find
    the symbols of each word.

    Args:
        spoken: words and punctuation.
        phonemes: symbols of words without punctuation, with spaces between words as far as they are told apart.
    """
    symbols, spans, place = "", [], 0
    for number, piece in enumerate(_MARKS.split(spoken.text)):
        start = spoken.text.index(piece, place)
        place = start + len(piece)
        if number % 2:
            marks = _marks(piece)
            symbols = symbols.rstrip() + marks if marks else symbols
            continue
        own = [word for word in spoken.words if start <= word.start < place]
        said = phonemes(piece) if piece.strip() else ""
        spans += [(len(symbols) + first, len(symbols) + last) for first, last in spans_of_words(own, said)]
        symbols += said
    return Pronunciation(symbols.rstrip(), tuple(spans))


def spans_of_words(words: Sequence[SpokenWord], said: str) -> list[tuple[int, int]]:
    """For each word its first symbol in `said`, and one behind its last.

    If there are as many groups between spaces as words, each word has a group. Otherwise some words were joined or cut:
    lengths tell which ("of the" -> "ʌvðə"), and words of one group share it in proportion to their letters. A word of
    which nothing is said has an empty span.
    """
    groups = [(found.start(), found.end()) for found in re.finditer(r"\S+", said)]
    letters = [len(word.text) for word in words]
    if not groups:
        return [(0, 0)] * len(words)
    if len(groups) >= len(words):
        runs = partition([end - start for start, end in groups], letters)
        return [(groups[first][0], groups[last - 1][1]) for first, last in runs]
    spans = []
    for (start, end), (first, last) in zip(groups, partition(letters, [b - a for a, b in groups]), strict=True):
        own, before = letters[first:last], 0
        for count in own:
            share = [start + round((end - start) * heard / sum(own)) for heard in (before, before + count)]
            spans.append((share[0], share[1]))
            before += count
    return spans


def partition(many: Sequence[int], few: Sequence[int]) -> list[tuple[int, int]]:
    """Cut `many` lengths into as many runs as there are `few`, with the most equal shares of the whole (least squares).

    Returns:
        For each run its first member, and one behind its last; no run is empty.
    """
    if not few:
        return []
    sums = [0, *accumulate(many)]
    scale = sum(few) / max(sums[-1], 1)
    best: list[dict[int, tuple[float, int]]] = [{0: (0.0, 0)}]  # per run: end -> cost, start
    for number, length in enumerate(few):
        ends: dict[int, tuple[float, int]] = {}
        for end in range(number + 1, len(many) - (len(few) - 1 - number) + 1):
            costs = [
                (cost + ((sums[end] - sums[start]) * scale - length) ** 2, start)
                for start, (cost, _) in best[-1].items()
                if start < end
            ]
            ends[end] = min(costs)
        best.append(ends)
    end, runs = len(many), []
    for ends in reversed(best[1:]):
        start = ends[end][1]
        runs.append((start, end))
        end = start
    return runs[::-1]


def marks_between(gap: str) -> str:
    """What is written of a gap between words: its punctuation with the spaces that belong around it, or a space."""
    written = "".join(map(_marks, _MARKS.split(gap)[1::2]))
    return written.replace("  ", " ") or " "


def _marks(text: str) -> str:
    """Punctuation with the spaces that belong around it."""
    for mark, spoken in _SPOKEN_MARKS.items():
        text = text.replace(mark, spoken)
    if not text:
        return ""
    return f" {text}" if text in _OPENING else f"{text} "
