"""The CTC head, and self-conditioning on its intermediate posteriors."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class CTCHead(nn.Module):
    """Token log-probabilities of encoder frames. The softmax runs in float32: in bfloat16 CTC loses its small terms."""

    def __init__(self, dim: int, vocabulary: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, vocabulary)

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, time, dim)` to float32 log-probabilities `(batch, time, vocabulary)`."""
        return torch.log_softmax(self.linear(x).float(), dim=-1)


class SelfConditioning(nn.Module):
    """Feeds intermediate posteriors back into the encoder (Nozaki and Komatsu 2021, equation 9)."""

    def __init__(self, vocabulary: int, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(vocabulary, dim)

    def forward(self, x: Tensor, log_probs: Tensor) -> Tensor:
        """`x (batch, time, dim)` plus the projection of `log_probs (batch, time, vocabulary)`."""
        return x + self.linear(log_probs.exp().to(x.dtype))
