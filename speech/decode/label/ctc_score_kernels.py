"""Compiled kernels of `ctc_score`, `search` and `timing`; imported by `compiled.load` only, like `beam_kernels`."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from speech.vector_math import exponential

_SMALL, _LARGE = 2.0**-256, 2.0**256
_UNIT = 256 * math.log(2)
_NOWHERE = -(1 << 40)
_NEVER = np.float32(-1e29)
_LOOSE = {"reassoc", "contract", "arcp", "nsz"}
"""fastmath flags: sums may be reordered, but infinities are preserved."""


@njit(cache=True, nogil=True)
def forward(probs, labels, lengths, scores):  # type: ignore[no-untyped-def]
    """Log-probabilities `scores (texts, labels + 1)` that the frames say exactly the first 0, 1, .. labels of each
    text.

    Each prefix keeps two sums, of paths ending in its last label and of paths ending in the blank after it, with a
    common scale that is a power of 2^-256: logarithms would take ten times as long, and unscaled numbers underflow.
    A sum too small to matter beside the other is dropped.

    Args:
        probs: `(T, columns)`, probabilities of blank, in column 0, and of the labels.
        labels: `(texts, labels)`, column of each label.
        lengths: `(texts,)`, number of labels of each text.
        scores: output.
    """
    longest = labels.shape[1] + 1
    spoken, silent, scale = np.empty(longest), np.empty(longest), np.empty(longest, np.int64)
    for row in range(len(labels)):
        said, count = labels[row], lengths[row]
        spoken[:], silent[:], scale[:] = 0.0, 0.0, _NOWHERE
        silent[0], scale[0] = 1.0, 0
        for frame in range(len(probs)):
            for n in range(min(count, frame + 1), -1, -1):
                a, b, new, top = spoken[n], silent[n], 0.0, scale[n]
                if n > 0:
                    new, before = silent[n - 1], scale[n - 1]
                    if n == 1 or said[n - 1] != said[n - 2]:  # otherwise a blank is needed in between
                        new += spoken[n - 1]
                    if before > top:
                        factor = _SMALL if before == top + 1 else 0.0
                        a, b, top = a * factor, b * factor, before
                    elif before < top:
                        new *= _SMALL if before == top - 1 else 0.0
                b = (a + b) * probs[frame, 0]
                a = (a + new) * probs[frame, said[n - 1]] if n > 0 else 0.0
                larger = max(a, b)
                if larger == 0.0:
                    top = _NOWHERE
                elif larger > 1.0:
                    a, b, top = a * _SMALL, b * _SMALL, top + 1
                else:
                    while larger < _SMALL:
                        a, b, larger, top = a * _LARGE, b * _LARGE, larger * _LARGE, top - 1
                spoken[n], silent[n], scale[n] = a, b, top
        for n in range(count + 1):
            total = spoken[n] + silent[n]
            scores[row, n] = math.log(total) + scale[n] * _UNIT if total > 0.0 else -math.inf


@njit(cache=True, nogil=True)
def warped(attention):  # type: ignore[no-untyped-def]
    """First frame of each row of `attention (rows, T)`, rows <= T, on the path with the highest sum; each step advances
    one frame, and stays in the row or moves to the next."""
    rows, frames = attention.shape
    total = np.full(rows, -math.inf)
    came = np.zeros((rows, frames), np.bool_)  # from the row above
    total[0] = 0.0
    for frame in range(frames):
        for row in range(min(rows - 1, frame), -1, -1):
            if row > 0 and total[row - 1] >= total[row]:
                came[row, frame], total[row] = True, total[row - 1]
            total[row] += attention[row, frame]
    starts = np.zeros(rows, np.int64)
    frame = frames - 1
    for row in range(rows - 1, 0, -1):
        while not came[row, frame]:
            frame -= 1
        starts[row] = frame
        frame -= 1
    return starts


@njit(cache=True, nogil=True, fastmath=_LOOSE, error_model="numpy")
def best(logits, forbidden, before, bonus, count):  # type: ignore[no-untyped-def]
    """The best one-token extensions of the texts, from likely to unlikely.

    Args:
        logits: `(rows, vocabulary)` float32.
        forbidden: `(tokens,)` float32, 0 or -1e30; later tokens of the vocabulary are never written.
        before: `(rows,)` float32, log-probability of each text so far.
        bonus: `(rows, tokens)`, added for ranking only, or `(rows, 0)`.
        count: maximum number of extensions.

    Returns:
        `(count,)` log-probability, row and token of each; fewer if no more are allowed.
    """
    ranks, scores = np.full(count + 1, _NEVER, np.float32), np.empty(count + 1, np.float32)
    rows, tokens = np.empty(count + 1, np.int64), np.empty(count + 1, np.int64)
    found, size = 0, len(forbidden)
    allowed = np.empty(size, np.float32)
    for row in range(len(logits)):
        peak, total = _NEVER, np.float32(0.0)
        for n in range(size):
            allowed[n] = logits[row, n] + forbidden[n]
            peak = max(peak, allowed[n])
        for n in range(size):
            total += exponential(allowed[n] - peak)
        shift = before[row] - peak - np.float32(math.log(total))
        worst = _NEVER if found < count else ranks[count - 1]
        for n in range(size):
            rank = allowed[n] + shift
            if bonus.shape[1]:
                rank += bonus[row, n]
            if rank > worst:
                place = found
                while place > 0 and ranks[place - 1] < rank:
                    ranks[place], scores[place] = ranks[place - 1], scores[place - 1]
                    rows[place], tokens[place] = rows[place - 1], tokens[place - 1]
                    place -= 1
                ranks[place], scores[place], rows[place], tokens[place] = rank, allowed[n] + shift, row, n
                found = min(found + 1, count)
                worst = _NEVER if found < count else ranks[count - 1]
    return scores[:found], rows[:found], tokens[:found]
