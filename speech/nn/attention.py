"""Multi-head attention over a whole sequence, over a chunk with a cache, and over a prompt."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class AttentionCache(NamedTuple):
    """What attention remembers: each `(batch, heads, frames, dim / heads)`, of fixed size."""

    prefix_keys: Tensor
    prefix_values: Tensor
    keys: Tensor
    values: Tensor

    def remember(self, keys: Tensor, values: Tensor) -> AttentionCache:
        """The cache after new frames; the oldest fall out."""
        new = keys.shape[2]
        return self._replace(
            keys=torch.cat([self.keys, keys], dim=2)[:, :, new:],
            values=torch.cat([self.values, values], dim=2)[:, :, new:],
        )


class MultiHeadAttention(nn.Module):
    """Scaled dot-product attention. Keys have a bias in the published OWSM-CTC and none in Whisper."""

    def __init__(self, dim: int, heads: int, *, key_bias: bool = True, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim, bias=key_bias)
        self.value = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def project(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values `(batch, heads, time, dim / heads)` of `x (batch, time, dim)`."""
        return self._split(self.key(x)), self._split(self.value(x))

    def attend(self, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        """Queries from `x (batch, time, dim)`; `mask (batch or 1, 1, time, keys)` is True where seen."""
        dropout = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(self._split(self.query(x)), keys, values, attn_mask=mask, dropout_p=dropout)
        return self.out(y.transpose(1, 2).flatten(2))

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Self-attention: `(batch, time, dim)` to the same."""
        return self.attend(x, *self.project(x), mask)

    def step(self, x: Tensor, cache: AttentionCache, mask: Tensor, commit: int) -> tuple[Tensor, AttentionCache]:
        """A chunk after what is remembered.

        Args:
            x: `(batch, chunk + right, dim)`.
            cache: keys and values of the prefix and of the left context.
            mask: `(batch, 1, 1, prefix + left + chunk + right)`, True where seen.
            commit: frames of `x` to remember; those after them are right context.
        """
        keys, values = self.project(x)
        seen_keys = torch.cat([cache.prefix_keys, cache.keys, keys], dim=2)
        seen_values = torch.cat([cache.prefix_values, cache.values, values], dim=2)
        y = self.attend(x, seen_keys, seen_values, mask)
        return y, cache.remember(keys[:, :, :commit], values[:, :, :commit])

    def begin(self, prefix: Tensor, left_context: int) -> AttentionCache:
        """An empty left context after `prefix (batch, P, dim)`."""
        keys, values = self.project(prefix)
        empty = keys.new_zeros(keys.shape[0], self.heads, left_context, keys.shape[3])
        return AttentionCache(keys, values, empty, empty.clone())
