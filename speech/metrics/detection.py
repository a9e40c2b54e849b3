"""How well scores tell two classes apart."""

from __future__ import annotations

import numpy as np


def roc_area(positive: np.ndarray, negative: np.ndarray) -> float:
    """Area under the ROC curve: the share of pairs in which the positive example has the higher score; equal scores
    count half. NaN without examples of both classes.

    Args:
        positive: `(n,)` scores.
        negative: `(m,)` scores.
    """
    if not len(positive) or not len(negative):
        return float("nan")
    ordered = np.sort(negative)
    below, not_above = (np.searchsorted(ordered, positive, side) for side in ("left", "right"))
    return float((below + not_above).mean() / 2 / len(negative))


def found_at(positive: np.ndarray, negative: np.ndarray, false_share: float) -> tuple[float, float]:
    """The share of positive examples above the lowest threshold that at most so many of the negative ones pass, and
    that threshold: scores above it count. NaN without negative examples.

    Args:
        positive: `(n,)` scores.
        negative: `(m,)` scores.
        false_share: of negative examples, 0 to 1.
    """
    if not len(positive) or not len(negative):
        return float("nan"), float("nan")
    allowed = int(false_share * len(negative) + 1e-9)
    threshold = np.sort(negative)[::-1][allowed] if allowed < len(negative) else -np.inf
    return float((positive > threshold).mean()), float(threshold)
