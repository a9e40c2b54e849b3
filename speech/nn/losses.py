"""CTC losses, combined as in OWSM-CTC."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def ctc_loss(log_probs: Tensor, lengths: Tensor, tokens: Tensor, token_lengths: Tensor, *, blank: int = 0) -> Tensor:
    """CTC loss (Graves et al. 2006) of each utterance, divided by its number of tokens: `(batch,)`.

    Args:
        log_probs: `(batch, T, vocabulary)` float32.
        lengths: `(batch,)` frames.
        tokens: `(batch, L)`.
        token_lengths: `(batch,)`. An utterance with too many tokens for its frames has loss zero.
    """
    loss = F.ctc_loss(  # (batch,)
        log_probs.transpose(0, 1), tokens, lengths, token_lengths, blank=blank, reduction="none", zero_infinity=True
    )
    return loss / token_lengths.clamp(min=1)


def multi_ctc_loss(final: Tensor, intermediate: Sequence[Tensor], inter_weight: float) -> Tensor:
    """`(1 - w) * final + w * mean(intermediate)`: OWSM-CTC (Peng et al. 2024, equation 5) with w = 0.8."""
    if not intermediate:
        return final
    return (1 - inter_weight) * final + inter_weight * torch.stack(list(intermediate)).mean(dim=0)
