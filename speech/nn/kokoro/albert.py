"""ALBERT: a transformer whose layers are one layer, applied several times (Lan et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speech.errors import ConfigError
from speech.nn.attention import MultiHeadAttention
from speech.nn.feed_forward import FeedForward
from speech.nn.kokoro.masks import frame_mask
from speech.ranges import check, ranged

_EPS = 1e-12


@dataclass(kw_only=True, slots=True)
class AlbertConfig:
    """Shape of the transformer."""

    embedding: int = ranged(128, least=1)
    """Channels of the embeddings, which are projected to `dim`."""
    dim: int = ranged(768, least=1)
    heads: int = ranged(12, least=1)
    hidden: int = ranged(2048, least=1)
    layers: int = ranged(12, least=1)
    """How often the layer is applied."""
    positions: int = ranged(512, least=3)
    """Most symbols at once, with one before and one behind the text."""

    def __post_init__(self) -> None:
        check(self, "model.albert")
        if self.dim % self.heads:
            raise ConfigError(
                f"model.albert.dim {self.dim}, model.albert.heads {self.heads}", fix="Give a multiple of the heads."
            )


class AlbertLayer(nn.Module):
    """Self-attention and feed-forward network, each with a residual and normalised behind it."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(config.dim, config.heads)
        self.attention_norm = nn.LayerNorm(config.dim, eps=_EPS)
        self.feed_forward = FeedForward(config.dim, config.hidden, partial(F.gelu, approximate="tanh"))
        self.norm = nn.LayerNorm(config.dim, eps=_EPS)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """`(batch, time, dim)` to the same; `mask (batch, 1, 1, time)` is True where visible."""
        x = self.attention_norm(x + self.attention(x, mask))
        return self.norm(x + self.feed_forward(x))


class Albert(nn.Module):
    """Symbols `(batch, time)` to frames `(batch, time, dim)`, each of which sees its whole row.

    Args:
        symbols: number of symbols.
        config: shape.
    """

    def __init__(self, symbols: int, config: AlbertConfig) -> None:
        super().__init__()
        self.repeats = config.layers
        self.embedding = nn.Embedding(symbols, config.embedding)
        self.positions = nn.Embedding(config.positions, config.embedding)
        self.embedding_norm = nn.LayerNorm(config.embedding, eps=_EPS)
        self.project = nn.Linear(config.embedding, config.dim)
        self.layer = AlbertLayer(config)

    def forward(self, symbols: Tensor, lengths: Tensor) -> Tensor:
        mask = frame_mask(lengths, symbols.shape[1])
        visible = None if mask is None else mask[:, None].bool()  # (batch, 1, 1, time)
        x = self.embedded(symbols)
        for _ in range(self.repeats):
            x = self.layer(x, visible)
        return x

    def embedded(self, symbols: Tensor) -> Tensor:
        """What the first layer reads: symbols `(..., time)` to `(..., time, dim)`."""
        places = torch.arange(symbols.shape[-1], device=symbols.device)
        x: Tensor = self.project(self.embedding_norm(self.embedding(symbols) + self.positions(places)))
        return x
