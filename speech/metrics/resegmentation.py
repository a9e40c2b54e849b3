"""Resegmentation of long-form output: which segment of the reference each word of one long output belongs to.

This is the SoftSegmenter (Polák et al. 2025, arXiv 2509.17349): a monotonic alignment of both texts with the highest
sum of similarities, where words may stay alone on either side at no cost; a word that stays alone goes to the segment
of the neighbouring reference word that it resembles more. Segments are those of OmniSTEval without a tokenizer.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence

import numpy as np

_MARKS = frozenset(".!?,;:-()。！？，；：—（）ー")
_PAIR, _REFERENCE_ALONE, _OUTPUT_ALONE = 0, 1, 2


def resegment(references: Sequence[Sequence[str]], output: Sequence[str], *, letters: bool = False) -> list[int | None]:
    """The index of the segment that each unit of an output belongs to.

    Takes time and memory in proportion to the product of both lengths, one byte for each pair.

    Args:
        references: units of each segment of a recording, in order: words, or characters.
        output: units of the output.
        letters: units are characters, which are equal or not. Words are compared by their sets of characters.

    Returns:
        An index for each unit of the output, never decreasing; None for what belongs nowhere: punctuation marks before
        the first word, and everything if the references have no units.
    """
    segments = [number for number, units in enumerate(references) for _ in units]
    similar = _Similarity([unit for units in references for unit in units], output, letters)
    found: list[int | None] = [None] * len(output)
    before: int | None = None
    passed = False  # a unit that stays alone takes those behind it along to the next unit of the reference
    for reference, own in _aligned(similar, len(segments), len(output)):
        if reference is not None:
            before, passed = reference, False
        elif own is not None:
            after = 0 if before is None else before + 1
            following = after if after < len(segments) else None
            passed = passed or similar.of(following, own) > similar.of(before, own)
            reference = following if passed else before
        if own is not None and reference is not None:
            found[own] = segments[reference]
    return found


class _Similarity:
    """Similarity of each unit of a reference and each unit of an output: minus infinity for a mark and what is none."""

    def __init__(self, reference: Sequence[str], output: Sequence[str], letters: bool) -> None:
        (rows, self._rows), (columns, self._columns) = _distinct(reference), _distinct(output)
        marks = [np.array([unit in _MARKS for unit in units], bool) for units in (rows, columns)]
        if letters:
            table = np.array([[float(one == other) for other in columns] for one in rows])
        else:
            table = _jaccard(rows, columns)
        self._table = table.reshape(len(rows), len(columns))
        self._table[marks[0][:, None] != marks[1][None, :]] = -math.inf

    def row(self, place: int) -> np.ndarray:
        """Of a unit of the reference with all of the output, `(output,)`."""
        found: np.ndarray = self._table[self._rows[place], self._columns]
        return found

    def of(self, place: int | None, own: int) -> float:
        """Of two units; minus infinity if there is no unit of the reference."""
        return -math.inf if place is None else float(self._table[self._rows[place], self._columns[own]])


def _distinct(units: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """The distinct units in lower case, NFKC, and the number of each unit among them, `(units,)`."""
    numbers: dict[str, int] = {}
    places = [numbers.setdefault(unicodedata.normalize("NFKC", unit).lower(), len(numbers)) for unit in units]
    return list(numbers), np.array(places, np.int64)


def _jaccard(rows: Sequence[str], columns: Sequence[str]) -> np.ndarray:
    """Shared characters per character of either word, `(rows, columns)`."""
    letters = {letter: place for place, letter in enumerate(sorted(set().union(*rows, *columns)))}
    one, other = (np.zeros((len(words), len(letters)), np.float32) for words in (rows, columns))
    for has, words in ((one, rows), (other, columns)):
        for place, word in enumerate(words):
            has[place, [letters[letter] for letter in word]] = 1.0
    shared = (one @ other.T).astype(np.float64)
    either = one.sum(1)[:, None] + other.sum(1)[None, :] - shared
    return np.divide(shared, either, out=np.zeros_like(shared), where=either > 0)


def _aligned(similar: _Similarity, rows: int, columns: int) -> list[tuple[int | None, int | None]]:
    """Pairs of places in reference and output; None: alone. Of equal sums a pair is preferred, then a unit of the
    reference alone."""
    steps = np.full((rows + 1, columns + 1), _OUTPUT_ALONE, np.uint8)
    steps[1:, 0] = _REFERENCE_ALONE
    above = np.zeros(columns + 1)
    for row in range(1, rows + 1):
        paired = above[:-1] + similar.row(row - 1)
        best = np.maximum(paired, above[1:])
        sums = np.maximum.accumulate(np.concatenate([[0.0], best]))
        left = sums[:-1]
        alone = np.where(above[1:] >= left, _REFERENCE_ALONE, _OUTPUT_ALONE)
        steps[row, 1:] = np.where((paired >= above[1:]) & (paired >= left), _PAIR, alone)
        above = sums
    found: list[tuple[int | None, int | None]] = []
    while rows or columns:
        step = steps[rows, columns]
        rows -= step != _OUTPUT_ALONE
        columns -= step != _REFERENCE_ALONE
        found.append((rows if step != _OUTPUT_ALONE else None, columns if step != _REFERENCE_ALONE else None))
    return found[::-1]
