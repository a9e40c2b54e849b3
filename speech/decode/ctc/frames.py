"""Frame log-probabilities, the input of all CTC decoders."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class CtcFrames:
    """Log-probabilities of a batch of utterances."""

    log_probs: Tensor
    """Log-probabilities `(batch, T, vocabulary)`, float32."""
    lengths: Tensor
    """Number of frames per utterance `(batch,)`."""
    frame_s: float
    """Seconds between frames."""

    def __post_init__(self) -> None:
        if self.log_probs.dim() != 3 or self.lengths.shape != self.log_probs.shape[:1]:
            raise ValueError(
                f"log_probs {tuple(self.log_probs.shape)}, lengths {tuple(self.lengths.shape)}; "
                "expected (batch, T, vocabulary) and (batch,)"
            )

    def select(self, index: int) -> Tensor:
        """Log-probabilities `(T, vocabulary)` of one utterance, without padding."""
        return self.log_probs[index, : int(self.lengths[index])]


def without(log_probs: Tensor, forbidden: Collection[int]) -> Tensor:
    """Set the log-probabilities `(..., vocabulary)` of `forbidden` tokens to minus infinity."""
    if not forbidden:
        return log_probs
    return log_probs.index_fill(-1, token_index(frozenset(forbidden), log_probs.device), -torch.inf)


@lru_cache(maxsize=64)
def token_index(tokens: frozenset[int], device: torch.device) -> Tensor:
    """Sorted token ids `(n,)` on a device; recent results are cached."""
    return torch.tensor(sorted(tokens), dtype=torch.int64, device=device)
