"""How likely CTC finds texts, and each beginning of them: the forward algorithm (Graves et al. 2006, section 4.1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def prefix_scores(log_probs: np.ndarray, texts: Sequence[Sequence[int]], blank: int = 0) -> list[np.ndarray]:
    """Log-probabilities that all frames say the first 0, 1, .. tokens of each text and nothing else.

    Args:
        log_probs: `(T, vocabulary)`.
        texts: tokens without blanks.

    Returns:
        For each text `(tokens + 1,)`, of which the last is the score of the whole.
    """
    width = 2 * max(map(len, texts), default=0) + 1
    states = np.full((len(texts), width), blank)
    for row, text in enumerate(texts):
        states[row, 1 : 2 * len(text) : 2] = text
    skips = np.zeros(states.shape, bool)  # from the token before, past the blank between
    skips[:, 2:] = (states[:, 2:] != blank) & (states[:, 2:] != states[:, :-2])
    used, places = np.unique(states, return_inverse=True)
    columns, places = np.asarray(log_probs[:, used], np.float64), places.reshape(states.shape)
    alpha = np.full((len(texts), width + 2), -np.inf)  # two places in front, where nothing comes from
    alpha[:, 2] = 0.0
    for frame, row in enumerate(columns):
        before = np.logaddexp(alpha[:, 2:], alpha[:, 1:-1])
        if frame:
            before = np.logaddexp(before, np.where(skips, alpha[:, :-2], -np.inf))
        alpha = np.concatenate([alpha[:, :2], before + row[places]], axis=1)
    ends = alpha[:, 2:]
    return [_of_prefixes(ends[row, : 2 * len(text) + 1]) for row, text in enumerate(texts)]


def _of_prefixes(ends: np.ndarray) -> np.ndarray:
    """Of paths that end in each state: a prefix ends in its last token or in the blank behind it."""
    return np.concatenate([ends[:1], np.logaddexp(ends[1::2], ends[2::2])])
