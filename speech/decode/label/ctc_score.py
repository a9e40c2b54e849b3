"""CTC scores of given texts and their prefixes, by the forward algorithm (Graves et al. 2006, section 4.1)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cache

import numpy as np

from speech.compiled import load

KERNELS = "speech.decode.label.ctc_score_kernels"


def prefix_scores(log_probs: np.ndarray, texts: Sequence[Sequence[int]], blank: int = 0) -> list[np.ndarray]:
    """Log-probabilities that the frames say exactly the first 0, 1, .. tokens of each text.

    Args:
        log_probs: `(T, vocabulary)`.
        texts: token ids without blanks.
        blank: id of blank.

    Returns:
        `(tokens + 1,)` per text; the last value is the score of the whole text.
    """
    labels = np.full((len(texts), max(map(len, texts), default=0)), blank)
    for row, text in zip(labels, texts, strict=True):
        row[: len(text)] = text
    used = np.unique(labels[labels != blank])
    probs = np.exp(np.take(log_probs, [blank, *used], axis=1).astype(np.float64, order="C"))
    scores = np.empty((len(texts), labels.shape[1] + 1))
    lengths = np.array([len(text) for text in texts], np.int64)
    load(KERNELS).forward(probs, np.searchsorted(used, labels) + 1, lengths, scores)
    return [row[: length + 1] for row, length in zip(scores, lengths, strict=True)]


def first_frames(attention: np.ndarray) -> np.ndarray:
    """See `ctc_score_kernels.warped`; with fewer frames than rows, several rows start in one frame."""
    rows, frames = attention.shape
    times = -(-rows // frames)
    found: np.ndarray = load(KERNELS).warped(np.repeat(attention, times, axis=1).astype(np.float64))
    return found // times


@cache
def prepare() -> None:
    """Load or compile the kernels in the background, once per process, to shorten the first call."""
    threading.Thread(target=_warm, name="compile", daemon=True).start()


def _warm() -> None:
    prefix_scores(np.zeros((1, 2), np.float32), [[1]])
    first_frames(np.zeros((1, 1)))
    one = np.zeros((1, 1), np.float32)
    load(KERNELS).best(one, one[0], one[0], one[:, :0], 1)
