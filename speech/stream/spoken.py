"""Which languages are spoken, from what frames say of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

POSSIBLE = 0.1
"""Probability from which words of a language are expected in a segment."""
_STRETCH = 50
"""Frames in which another language than the segment's may be clear."""
_CLEAR = 0.7
"""Probability from which it is."""


def posterior(evidence: Tensor, frames: int, asked: Sequence[str], known: Sequence[str]) -> Tensor:
    """Of the languages asked for, `(languages,)`, from the sum of the log-posteriors of `frames`.

    Args:
        evidence: `(languages,)`.
        frames: how many.
        asked: ISO 639-3; empty: any.
        known: by the model. Where it knows none of those asked for, which a label decoder does, all are 0.
    """
    mean = evidence / max(frames, 1)
    if asked:
        wanted = [code in asked for code in known]
        if not any(wanted):
            return torch.zeros_like(mean)
        mean = mean.masked_fill(~torch.tensor(wanted, device=mean.device), -torch.inf)
    return torch.softmax(mean, dim=-1)


def expected(evidence: Tensor, asked: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Languages that words may be in: possible in the whole, or clear somewhere; `evidence (T, languages)` are
    log-posteriors."""
    likely = posterior(evidence.sum(dim=0), len(evidence), asked, known) >= POSSIBLE
    for start in range(0, len(evidence) - _STRETCH + 1, _STRETCH // 2):
        part = evidence[start : start + _STRETCH].sum(dim=0)
        likely |= posterior(part, _STRETCH, asked, known) >= _CLEAR
    return tuple(code for code, there in zip(known, likely.tolist(), strict=True) if there)
