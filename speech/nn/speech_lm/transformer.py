"""A causal transformer with RMSNorm, rotary positions, grouped queries and SwiGLU (Touvron et al. 2023, "LLaMA").

`forward` over whole sequences and `step` after a past give the same (float32: 1e-4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speech.errors import ConfigError
from speech.nn.decoder.label import KeysValues
from speech.nn.speech_lm.past import NewPlaces, Past
from speech.nn.speech_lm.rotary import RopeDtype, RotaryTable, rotate
from speech.ranges import check, ranged


@dataclass(kw_only=True, slots=True)
class TransformerConfig:
    """Shape of a causal transformer."""

    path: ClassVar[str] = "model.slow"
    """Place in a model's configuration, for errors."""
    dim: int = ranged(320, least=1)
    layers: int = ranged(8, least=1)
    heads: int = ranged(5, least=1)
    """Heads of queries."""
    kv_heads: int = ranged(5, least=1)
    """Heads of keys and values, a divisor of `heads`."""
    hidden: int = ranged(896, least=1)
    """Width of the feed-forward networks."""
    qkv_bias: bool = False
    """Whether queries, keys and values have a bias."""
    eps: float = ranged(1e-6, above=0)
    """Of the norms."""
    rope_base: float = ranged(1e4, above=1)
    rope_dtype: RopeDtype = RopeDtype.float32
    dropout: float = ranged(0.0, least=0, below=1)
    """Of the outputs of attention and feed-forward networks, in training."""

    def __post_init__(self) -> None:
        check(self, self.path)
        if self.dim % self.heads or self.dim // self.heads % 2:
            raise ConfigError(f"{self.path}: dim {self.dim}, heads {self.heads}", fix="Give heads with an even width.")
        if self.heads % self.kv_heads:
            raise ConfigError(
                f"{self.path}: heads {self.heads}, kv_heads {self.kv_heads}", fix="Give a divisor of heads as kv_heads."
            )


class RmsNorm(nn.Module):
    """Root-mean-square norm over the last dimension, computed in float32; the weight is applied in x's dtype."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x.float(), self.weight.shape, eps=self.eps).to(x.dtype) * self.weight


class SwiGlu(nn.Module):
    """down(silu(gate(x)) * up(x)) (Shazeer 2020): `(..., dim)` to the same. `gate_up` computes both, gate first."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.gate_up = nn.Linear(dim, 2 * hidden, bias=False)
        self.down = nn.Linear(hidden, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.down(F.silu(gate) * up)


class GroupedQueryAttention(nn.Module):
    """Causal self-attention whose keys and values are shared by groups of queries (Ainslie et al. 2023)."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        size = config.dim // config.heads
        self.heads, self.kv_heads, self.size = config.heads, config.kv_heads, size
        self.qkv = nn.Linear(config.dim, (config.heads + 2 * config.kv_heads) * size, bias=config.qkv_bias)
        self.out = nn.Linear(config.dim, config.dim, bias=False)

    def forward(
        self, x: Tensor, rotation: Tensor, visible: Tensor | None, past: KeysValues | None
    ) -> tuple[Tensor, KeysValues]:
        """Output `(batch, n, dim)` for `x (batch, n, dim)` after `past`, and the extended keys and values.

        Args:
            x: inputs.
            rotation: of their positions.
            visible: `(batch or 1, 1, n, places)`, True where a query sees a key; None: everywhere.
            past: of this layer.
        """
        each = self.qkv(x).unflatten(-1, (-1, self.size)).transpose(1, 2)  # (batch, heads + 2 * kv_heads, n, size)
        turned, values = each.split([self.heads + self.kv_heads, self.kv_heads], dim=1)
        queries, keys = rotate(turned, rotation).split([self.heads, self.kv_heads], dim=1)
        if past is not None:
            keys, values = torch.cat([past.keys, keys], dim=2), torch.cat([past.values, values], dim=2)
        y = F.scaled_dot_product_attention(queries, keys, values, attn_mask=visible, enable_gqa=True)
        return self.out(y.transpose(1, 2).flatten(2)), KeysValues(keys, values)


class CausalBlock(nn.Module):
    """Pre-norm: self-attention, feed-forward network."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.attention_norm = RmsNorm(config.dim, config.eps)
        self.attention = GroupedQueryAttention(config)
        self.feed_forward_norm = RmsNorm(config.dim, config.eps)
        self.feed_forward = SwiGlu(config.dim, config.hidden)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Tensor, rotation: Tensor, visible: Tensor | None, past: KeysValues | None = None
    ) -> tuple[Tensor, KeysValues]:
        """As `GroupedQueryAttention.forward`."""
        y, kept = self.attention(self.attention_norm(x), rotation, visible, past)
        x = x + (self.dropout(y) if self.training else y)
        z = self.feed_forward(self.feed_forward_norm(x))
        return x + (self.dropout(z) if self.training else z), kept


class CausalTransformer(nn.Module):
    """Blocks without their final norm, which is `norm`: `(batch, n, dim)` to the same.

    Args:
        config: shape.
        positions: largest number of places of a sequence.
    """

    def __init__(self, config: TransformerConfig, positions: int) -> None:
        super().__init__()
        self.config, self.positions = config, positions
        size = config.dim // config.heads
        self.rotary = RotaryTable(size, positions, config.rope_base, config.rope_dtype)
        self.layers = nn.ModuleList(CausalBlock(config) for _ in range(config.layers))
        self.norm = RmsNorm(config.dim, config.eps)

    def forward(self, x: Tensor, positions: Tensor | None = None, visible: Tensor | None = None) -> Tensor:
        """Process whole sequences.

        Args:
            x: `(batch, n, dim)`.
            positions: `(batch, n)`; None: 0 to n - 1.
            visible: `(batch or 1, 1, n, n)`, True where a place sees another; None: itself and all earlier ones.
        """
        count = x.shape[1]
        if positions is None:
            positions = torch.arange(count, device=x.device)[None]
        if visible is None:
            visible = torch.ones(count, count, dtype=torch.bool, device=x.device).tril()[None, None]
        rotation = self.rotary(positions)
        for layer in self.layers:
            x, _ = layer(x, rotation, visible)
        return x

    def begin(self, batch: int) -> Past:
        """The past of rows without any place."""
        weight, own = self.norm.weight, self.config
        shape = batch, own.kv_heads, 0, own.dim // own.heads
        nothing = torch.zeros(shape, dtype=weight.dtype, device=weight.device)
        return Past((KeysValues(nothing, nothing),) * own.layers, (0,) * batch)

    def step(self, x: Tensor, past: Past | None, counts: Sequence[int] = ()) -> tuple[Tensor, Past]:
        """Process the next places of each row.

        Args:
            x: `(batch, n, dim)`.
            past: after the previous places; None: before the first.
            counts: without a past, real places of each row, the last ones of `x`; none: n each.

        Returns:
            `(batch, n, dim)` and the next past. What is returned of padding means nothing.

        Raises:
            ConfigError: if a row has more places than positions.
        """
        count = x.shape[1]
        before = past.lengths if past is not None else [0] * len(x)
        lengths = tuple(old + new for old, new in zip(before, counts or [count] * len(x), strict=True))
        if max(lengths) > self.positions:
            raise too_long(max(lengths), self.positions)
        places = NewPlaces(lengths, count, x.device)
        rotation = self.rotary(places.positions)
        kept = []
        for number, layer in enumerate(self.layers):
            x, new = layer(x, rotation, places.visible, None if past is None else past.layers[number])
            kept.append(new)
        return x, Past(tuple(kept), lengths)


def too_long(places: int, positions: int) -> ConfigError:
    """The error for a sequence with more places than positions."""
    text = f"a sequence of {places} places; the model has {positions} positions"
    return ConfigError(text, fix="Give shorter texts, or a shorter reference.")
