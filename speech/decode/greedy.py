"""Best path decoding: the most probable token of each frame, repeats and blanks removed (Graves et al. 2006)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch

from speech.decode.frames import Frames


@dataclass(frozen=True, slots=True)
class TokenSpan:
    """A token and the frames that say it."""

    id: int
    start_frame: int
    """First frame."""
    end_frame: int
    """Frame after the last."""
    confidence: float
    """Highest probability within its frames."""


def greedy(
    frames: Frames, *, blank: int = 0, forbidden: Collection[int] = (), languages: Sequence[str] = ()
) -> list[list[TokenSpan]]:
    """Token spans of each utterance; tokens in `forbidden` cannot be said, and `languages` make no difference."""
    log_probs = frames.log_probs
    if forbidden:
        log_probs = log_probs.clone()
        log_probs[..., torch.tensor(sorted(forbidden), device=log_probs.device)] = -torch.inf
    best, ids = log_probs.max(dim=-1)
    return [
        collapse(row[:length], confidence[:length], blank)
        for row, confidence, length in zip(ids.tolist(), best.exp().tolist(), frames.lengths.tolist(), strict=True)
    ]


def collapse(ids: Sequence[int], confidence: Sequence[float], blank: int = 0) -> list[TokenSpan]:
    """Token spans of the best token of each frame and its probability."""
    spans: list[TokenSpan] = []
    start = 0
    for end in range(1, len(ids) + 1):
        if end < len(ids) and ids[end] == ids[start]:
            continue
        if ids[start] != blank:
            spans.append(TokenSpan(ids[start], start, end, max(confidence[start:end])))
        start = end
    return spans
