"""Tied input and output embedding of a label decoder; half of the weights that a decoding step reads."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TiedEmbedding(nn.Module):
    """One matrix that maps tokens to vectors, and vectors to token logits."""

    def __init__(self, vocabulary: int, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(vocabulary, dim))
        nn.init.normal_(self.weight, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """`(..., )` ids to `(..., dim)`."""
        return F.embedding(tokens, self.weight)

    def logits(self, x: Tensor) -> Tensor:
        """`(..., dim)` to `(..., vocabulary)`."""
        return F.linear(x, self.weight)
