"""Whisper's encoder with chunk masks, ring positions and an optional halving of the frame rate.

Initialised from published weights (Radford et al. 2022), it needs hours instead of years of training speech.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from speech.errors import ConfigError
from speech.nn.attention import AttentionCache, MultiHeadAttention
from speech.nn.encoder.base import Encoder, EncoderConfig
from speech.nn.encoder.masks import SequenceLayout
from speech.nn.encoder.positions import SinusoidalPositions
from speech.nn.encoder.subsampling import WhisperConvolutions
from speech.nn.feed_forward import FeedForward
from speech.nn.streaming import StreamTensors
from speech.ranges import check, ranged


@dataclass(kw_only=True, slots=True)
class WhisperEncoderConfig(EncoderConfig):
    """Shape of a Whisper encoder; the defaults are Whisper-base."""

    layers: int = ranged(6, least=1)
    """Transformer layers."""
    heads: int = ranged(8, least=1)
    """Attention heads."""
    hidden: int = ranged(2048, least=1)
    """Width of the feed-forward network."""
    dropout: float = ranged(0.0, least=0, below=1)
    """Dropout after attention and feed-forward."""
    period: int | None = ranged(3000, least=1)
    """Period of ring positions, in frames of 20 ms; None: the published unbounded embedding."""
    reduce_after: int = ranged(0, least=0)
    """Layer after which pairs of frames are merged (0: never)."""
    prefix_after: int = ranged(0, least=0)
    """Number of layers that process the audio only, so that a label model can share them; prefix frames enter above."""

    def __post_init__(self) -> None:
        check(self, "model.encoder")
        if self.dim % self.heads or self.reduce_after > self.layers or self.prefix_after >= self.layers:
            raise ConfigError(
                f"dim {self.dim}, heads {self.heads}, layers {self.layers}, reduce_after {self.reduce_after}, "
                f"prefix_after {self.prefix_after}",
                fix="dim must be a multiple of heads, reduce_after at most layers, prefix_after fewer.",
            )
        if 0 < self.reduce_after <= self.prefix_after:
            raise ConfigError("frames are reduced before the prefix enters", fix="Make prefix_after less.")

    @property
    def shape(self) -> tuple[int, ...]:
        """Properties that must be equal for two encoders to exchange layers."""
        return self.bins, self.dim, self.heads, self.hidden

    def build(self) -> WhisperEncoder:
        return WhisperEncoder(self)


class WhisperLayer(nn.Module):
    """Pre-norm transformer layer."""

    def __init__(self, config: WhisperEncoderConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.dim)
        self.attention = MultiHeadAttention(config.dim, config.heads, key_bias=False)
        self.feed_forward_norm = nn.LayerNorm(config.dim)
        self.feed_forward = FeedForward(config.dim, config.hidden, F.gelu)
        self.dropout = nn.Dropout(config.dropout)

    def _rest(self, x: Tensor, attended: Tensor) -> Tensor:
        x = x + self.dropout(attended)
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))

    def forward(
        self, x: Tensor, mask: Tensor | None, layout: SequenceLayout, valid: Tensor, memory: StreamTensors | None
    ) -> Tensor:
        """`x (batch, N, dim)` in `layout` to the same shape; `mask` is the layout's attention mask."""
        return self._rest(x, self.attention(self.attention_norm(x), mask))

    def begin(self, prefix: Tensor, left_context: int, memory: StreamTensors | None) -> tuple[Tensor, AttentionCache]:
        """Return the prefix frames after this layer, and the state of streams that start with them."""
        normed = self.attention_norm(prefix)
        cache = self.attention.begin(normed, left_context)
        return self._rest(prefix, self.attention(normed, None)) if prefix.shape[1] else prefix, cache

    def step(
        self, x: Tensor, state: AttentionCache, valid: Tensor | None, commit: int, memory: StreamTensors | None
    ) -> tuple[Tensor, AttentionCache]:
        """Process one chunk `x (batch, chunk + right, dim)`; its first `commit` frames enter the state."""
        attended, state = self.attention.step(self.attention_norm(x), state, valid, commit)
        return self._rest(x, attended), state


class WhisperEncoder(Encoder):
    """Whisper's encoder; see the module's docstring."""

    def __init__(self, config: WhisperEncoderConfig) -> None:
        super().__init__(
            subsampling=WhisperConvolutions(config.bins, config.dim),
            positions=SinusoidalPositions(config.dim, period=config.period, interleaved=False),
            layers=[WhisperLayer(config) for _ in range(config.layers)],
            norm=nn.LayerNorm(config.dim),
            reduce_after=config.reduce_after,
            prefix_after=config.prefix_after,
        )
        self.config = config

    def _bins(self) -> int:
        return self.config.bins
