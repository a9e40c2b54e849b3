"""Text prompt encoder: the previous text as memory for cross-attention (OWSM-CTC, Peng et al. 2024, section 3)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speech.errors import ConfigError
from speech.nn.attention import MultiHeadAttention
from speech.nn.encoder.masks import padding_mask
from speech.nn.encoder.positions import SinusoidalPositions
from speech.nn.feed_forward import FeedForward
from speech.nn.streaming import StreamTensors
from speech.ranges import check, ranged


@dataclass(kw_only=True, slots=True)
class PromptConfig:
    """Shape of the prompt encoder; the defaults are the published ones."""

    dim: int = ranged(512, least=1)
    """Width."""
    layers: int = ranged(4, least=1)
    """Pre-norm transformer layers."""
    heads: int = ranged(8, least=1)
    """Attention heads."""
    hidden: int = ranged(2048, least=1)
    """Width of the feed-forward network."""
    dropout: float = ranged(0.1, least=0, below=1)
    """Dropout on every branch."""
    eps: float = ranged(1e-12, above=0)
    """Epsilon of every layer norm."""

    def __post_init__(self) -> None:
        check(self, "model.prompt")
        if self.dim % self.heads:
            raise ConfigError(
                f"model.prompt: dim {self.dim}, heads {self.heads}", fix="dim must be a multiple of heads."
            )


class PromptLayer(nn.Module):
    """Pre-norm transformer layer with ReLU."""

    def __init__(self, config: PromptConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.dim, eps=config.eps)
        self.attention = MultiHeadAttention(config.dim, config.heads, dropout=config.dropout)
        self.feed_forward_norm = nn.LayerNorm(config.dim, eps=config.eps)
        self.feed_forward = FeedForward(config.dim, config.hidden, F.relu, config.dropout)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x + self.dropout(self.attention(self.attention_norm(x), mask))
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))


class PromptEncoder(nn.Module):
    """Encodes embedded tokens `(batch, L, prompt dim)` to memory, `(length, encoder dim)` per stream."""

    def __init__(self, config: PromptConfig, dim: int) -> None:
        super().__init__()
        self.scale = math.sqrt(config.dim)
        self.positions = SinusoidalPositions(config.dim, period=None, interleaved=True)
        self.layers = nn.ModuleList([PromptLayer(config) for _ in range(config.layers)])
        self.norm = nn.LayerNorm(config.dim, eps=config.eps)
        self.out = nn.Linear(config.dim, dim)

    def forward(self, embedded: Tensor, lengths: Tensor) -> StreamTensors:
        steps = torch.arange(embedded.shape[1], device=embedded.device)
        x = embedded * self.scale + self.positions(steps).to(embedded.dtype)  # (batch, L, prompt dim)
        mask = padding_mask(lengths, embedded.shape[1])[:, None, None, :]  # (batch, 1, 1, L)
        for layer in self.layers:
            x = layer(x, mask)
        return StreamTensors(row[:length] for row, length in zip(self.out(self.norm(x)), lengths.tolist(), strict=True))
