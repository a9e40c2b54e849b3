"""E-Branchformer (Kim et al. 2022) as published in OWSM-CTC (Peng et al. 2024).

Macaron feed-forward, then attention and convolutional gating in parallel, merged by a depthwise convolution. Some
layers attend to a text prompt.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speech.errors import ConfigError
from speech.nn.attention import AttentionCache, MultiHeadAttention
from speech.nn.encoder.base import Encoder, EncoderConfig
from speech.nn.encoder.convolution import ConvolutionalGating, DepthwiseConvolution
from speech.nn.encoder.masks import SequenceLayout
from speech.nn.encoder.positions import SinusoidalPositions
from speech.nn.encoder.subsampling import Conv2dSubsampling8
from speech.nn.feed_forward import FeedForward
from speech.nn.streaming import StreamTensors
from speech.ranges import check, ranged


@dataclass(kw_only=True, slots=True)
class EBranchformerConfig(EncoderConfig):
    """Shape of an E-Branchformer; the defaults are the published OWSM-CTC v4 1B."""

    bins: int = ranged(128, least=1)
    """Log-mel bins."""
    dim: int = ranged(1024, least=1)
    """Width of a frame."""
    layers: int = ranged(27, least=1)
    """Number of layers."""
    heads: int = ranged(16, least=1)
    """Attention heads."""
    hidden: int = ranged(4096, least=1)
    """Width of the feed-forward networks and of the gating network."""
    kernel: int = ranged(31, least=1)
    """Kernel size of the depthwise convolutions in frames, odd."""
    cross_attention_every: int = ranged(3, least=0)
    """Every n-th layer attends to the prompt (0: none)."""
    dropout: float = ranged(0.1, least=0, below=1)
    """Dropout on every branch."""
    eps: float = ranged(1e-12, above=0)
    """Epsilon of every layer norm; ESPnet's value, not torch's."""
    period: int = ranged(0, least=0)
    """Period of ring positions, in frames of 80 ms; 0: the published unbounded embedding."""

    def __post_init__(self) -> None:
        check(self, "model.encoder")
        if self.dim % self.heads or self.hidden % 2 or self.kernel % 2 == 0:
            raise ConfigError(
                f"dim {self.dim}, heads {self.heads}, hidden {self.hidden}, kernel {self.kernel}",
                fix="dim must be a multiple of heads, hidden even, kernel odd.",
            )

    def build(self) -> EBranchformer:
        return EBranchformer(self)


class EBranchformerState(NamedTuple):
    """State of one layer: attention cache and the caches of both convolutions."""

    attention: AttentionCache
    gating: Tensor
    merge: Tensor


class EBranchformerLayer(nn.Module):
    """E-Branchformer layer; `cross` adds cross-attention to the prompt."""

    def __init__(self, config: EBranchformerConfig, *, cross: bool) -> None:
        super().__init__()
        dim, eps = config.dim, config.eps
        self.macaron_norm = nn.LayerNorm(dim, eps=eps)
        self.macaron = FeedForward(dim, config.hidden, F.silu, config.dropout)
        self.attention_norm = nn.LayerNorm(dim, eps=eps)
        self.attention = MultiHeadAttention(dim, config.heads, dropout=config.dropout)
        self.gating_norm = nn.LayerNorm(dim, eps=eps)
        self.gating = ConvolutionalGating(dim, config.hidden, config.kernel, eps)
        self.merge_conv = DepthwiseConvolution(2 * dim, config.kernel)
        self.merge = nn.Linear(2 * dim, dim)
        self.feed_forward_norm = nn.LayerNorm(dim, eps=eps)
        self.feed_forward = FeedForward(dim, config.hidden, F.silu, config.dropout)
        self.cross_norm = nn.LayerNorm(dim, eps=eps) if cross else None
        self.cross = MultiHeadAttention(dim, config.heads, dropout=config.dropout) if cross else None
        self.norm = nn.LayerNorm(dim, eps=eps)
        self.dropout = nn.Dropout(config.dropout)

    def _open(self, x: Tensor) -> Tensor:
        return x + 0.5 * self.dropout(self.macaron(self.macaron_norm(x)))

    def _close(self, x: Tensor, both: Tensor, mixed: Tensor, memory: StreamTensors | None) -> Tensor:
        x = x + self.dropout(self.merge(both + mixed))  # (batch, N, dim)
        x = x + 0.5 * self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        if self.cross is not None and self.cross_norm is not None and memory is not None:
            x = x + self.dropout(self.cross.across(self.cross_norm, x, memory))
        return self.norm(x)

    def _branches(self, attended: Tensor, gated: Tensor) -> Tensor:
        return torch.cat([self.dropout(attended), self.dropout(gated)], dim=-1)  # (batch, N, 2 dim)

    def forward(
        self, x: Tensor, mask: Tensor | None, layout: SequenceLayout, valid: Tensor, memory: StreamTensors | None
    ) -> Tensor:
        """`x (batch, N, dim)` in `layout` to the same shape; `memory` are the prompts, `(M, dim)` each."""
        x = self._open(x)
        attended = self.attention(self.attention_norm(x), mask)
        both = self._branches(attended, self.gating(self.gating_norm(x), layout, valid))
        return self._close(x, both, self.merge_conv(both, layout, valid), memory)

    def begin(
        self, prefix: Tensor, left_context: int, memory: StreamTensors | None
    ) -> tuple[Tensor, EBranchformerState]:
        """Return the prefix frames after this layer, and the state of streams that start with them."""
        x = self._open(prefix)
        normed = self.attention_norm(x)
        cache = self.attention.begin(normed, left_context)
        attended = self.attention(normed, None) if prefix.shape[1] else normed
        gated, gating = self.gating.begin(self.gating_norm(x))
        both = self._branches(attended, gated)
        mixed, merge = self.merge_conv.begin(both)  # (batch, P, 2 dim), (batch, reach, 2 dim)
        return self._close(x, both, mixed, memory), EBranchformerState(cache, gating, merge)

    def step(
        self, x: Tensor, state: EBranchformerState, valid: Tensor | None, commit: int, memory: StreamTensors | None
    ) -> tuple[Tensor, EBranchformerState]:
        """Process one chunk `x (batch, chunk + right, dim)`; its first `commit` frames enter the state."""
        x = self._open(x)
        attended, cache = self.attention.step(self.attention_norm(x), state.attention, valid, commit)
        gated, gating = self.gating.step(self.gating_norm(x), state.gating, valid, commit)
        both = self._branches(attended, gated)
        mixed, merge = self.merge_conv.step(both, state.merge, valid, commit)  # (batch, chunk + right, 2 dim) first
        return self._close(x, both, mixed, memory), EBranchformerState(cache, gating, merge)


class EBranchformer(Encoder):
    """E-Branchformer encoder; see the module's docstring."""

    def __init__(self, config: EBranchformerConfig) -> None:
        every = config.cross_attention_every
        super().__init__(
            subsampling=Conv2dSubsampling8(config.bins, config.dim),
            positions=SinusoidalPositions(config.dim, period=config.period or None, interleaved=True),
            layers=[
                EBranchformerLayer(config, cross=bool(every) and (i + 1) % every == 0) for i in range(config.layers)
            ],
            norm=nn.LayerNorm(config.dim, eps=config.eps),
            prefix_positions=True,
            scale=math.sqrt(config.dim),
            dropout=config.dropout,
        )
        self.config = config

    def _bins(self) -> int:
        return self.config.bins
