"""Multi-head attention over whole sequences, over chunks with a cache, and over a prompt."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speech.nn.streaming import StreamTensors


class AttentionCache(NamedTuple):
    """Cached keys and values of each stream, each `(heads, frames, dim / heads)`."""

    prefix_keys: StreamTensors
    prefix_values: StreamTensors
    keys: StreamTensors
    values: StreamTensors
    left: int
    """Maximum number of past frames."""

    def kept(self, seen: Tensor, prefix: Tensor, right: int) -> Tensor:
        """The last `left` frames before the right context of `seen (heads, prefix + past + chunk + right, d)`."""
        end = seen.shape[1] - right
        return seen[:, max(end - self.left, prefix.shape[1]) : end]


class MultiHeadAttention(nn.Module):
    """Scaled dot-product attention. Keys have a bias in published OWSM-CTC models and none in Whisper."""

    def __init__(self, dim: int, heads: int, *, key_bias: bool = True, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim, bias=key_bias)
        self.value = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (batch, heads, time, dim / heads)

    def project(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values `(batch, heads, time, dim / heads)` of `x (batch, time, dim)`."""
        return self._split(self.key(x)), self._split(self.value(x))

    def attend(self, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        """Attend with queries from `x (batch, time, dim)`; `mask (batch or 1, 1, time, keys)` is True where visible."""
        dropout = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(self._split(self.query(x)), keys, values, attn_mask=mask, dropout_p=dropout)
        return self.out(y.transpose(1, 2).flatten(2))  # (batch, time, dim)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Self-attention: `(batch, time, dim)` to the same."""
        return self.attend(x, *self.project(x), mask)

    def across(self, norm: nn.Module, x: Tensor, memory: StreamTensors) -> Tensor:
        """Cross-attention of `norm(x)`, `x (batch, time, dim)`, to each stream's `memory`, `(M, dim)` each.

        If M is 1 for all streams, queries and keys have no effect and the result is `(batch, 1, dim)`.
        """
        if all(len(row) == 1 for row in memory):
            return self.out(self.value(torch.stack(tuple(memory))))  # (batch, 1, dim)
        x = norm(x)
        rows = [self.attend(x[n : n + 1], *self.project(row[None]), None) for n, row in enumerate(memory)]
        return torch.cat(rows)  # (batch, time, dim)

    def step(
        self, x: Tensor, cache: AttentionCache, valid: Tensor | None, commit: int
    ) -> tuple[Tensor, AttentionCache]:
        """Attend over a chunk and its cached past. Streams are processed one by one, so caches are not copied together.

        Args:
            x: `(batch, chunk + right, dim)`.
            cache: keys and values of prefix and past.
            valid: `(batch, chunk + right)`, False beyond the end of a stream; None: all True.
            commit: frames of `x` to add to the cache; the frames after them are right context.
        """
        queries, new_keys, new_values = self._split(self.query(x)), *self.project(x)  # (batch, heads, size, d)
        size, right = x.shape[1], x.shape[1] - commit
        answers, keys, values = [], [], []
        for row in range(len(x)):
            prefix = cache.prefix_keys[row]
            seen_keys = torch.cat([prefix, cache.keys[row], new_keys[row]], dim=1)  # (heads, P + past + size, d)
            seen_values = torch.cat([cache.prefix_values[row], cache.values[row], new_values[row]], dim=1)
            mask = None if valid is None else _step_mask(valid[row], seen_keys.shape[1] - size)
            answers.append(
                F.scaled_dot_product_attention(queries[row][None], seen_keys[None], seen_values[None], attn_mask=mask)
            )
            keys.append(cache.kept(seen_keys, prefix, right))
            values.append(cache.kept(seen_values, prefix, right))
        y = torch.cat(answers).transpose(1, 2).flatten(2)  # (batch, size, dim)
        return self.out(y), cache._replace(keys=StreamTensors(keys), values=StreamTensors(values))

    def begin(self, prefix: Tensor, left_context: int) -> AttentionCache:
        """Create a cache that contains only `prefix (batch, P, dim)`."""
        keys, values = self.project(prefix)
        nothing = StreamTensors(keys[:, :, :0].unbind(0))
        return AttentionCache(
            StreamTensors(keys.unbind(0)), StreamTensors(values.unbind(0)), nothing, nothing, left_context
        )


def _step_mask(valid: Tensor, before: int) -> Tensor:
    """Mask `(1, 1, size, before + size)`: each frame sees all earlier frames, valid new frames, and itself."""
    seen = valid | torch.eye(len(valid), dtype=torch.bool, device=valid.device)  # (size, size)
    return F.pad(seen, (before, 0), value=True)[None, None]
