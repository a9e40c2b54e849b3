"""EMMA's stepwise policy network (Ma et al. 2023, arXiv 2312.04515): may a token be written at a frame?

For each decoder layer and head, a query is made of the decoder state in front of cross-attention and a key of encoder
frames that are averaged in groups:

    p = sigmoid((q . k / sqrt(dim / heads) + b) / temperature)

The last linear layer of both networks has no ReLU. With it, as published, q . k is never negative, so p is at least
sigmoid(b / temperature), and with a frozen decoder no token could be delayed for long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from speech.errors import ConfigError
from speech.nn.encoder.masks import padding_mask
from speech.ranges import check, ranged


@dataclass(frozen=True, kw_only=True)
class PolicyConfig:
    """Shape of a policy network; width, layers and heads are those of the decoder."""

    depth: int = ranged(2, least=1)
    """Linear layers of each network, with ReLU between them."""
    pooling: int = ranged(4, least=1)
    """Encoder frames in a group; the last group may have fewer."""
    shared: bool = True
    """Whether all decoder layers share one set of networks."""
    bias: float = -0.5
    """Initial b; below 0, waiting is likelier than writing at first."""
    temperature: float = ranged(0.2, above=0)
    """Smaller values make decisions sharper."""

    def __post_init__(self) -> None:
        check(self, "policy")


class PolicyKeys(NamedTuple):
    """Keys of a batch of sources."""

    keys: tuple[Tensor, ...]
    """For each set of networks, `(batch, heads, groups, dim / heads)`."""
    real: Tensor
    """(batch, groups) True where a group has a real frame."""


class PolicyNetwork(nn.Module):
    """Stepwise probabilities for all layers of a decoder; see the module's docstring.

    Args:
        config: shape of the networks.
        dim, layers, heads: of the decoder.

    Raises:
        ConfigError: if `dim` is not a multiple of `heads`.
    """

    def __init__(self, config: PolicyConfig, dim: int, layers: int, heads: int) -> None:
        super().__init__()
        if dim % heads:
            raise ConfigError(f"a policy network of dim {dim}, heads {heads}", fix="dim must be a multiple of heads.")
        self.config, self.dim, self.layers, self.heads = config, dim, layers, heads
        sets = 1 if config.shared else layers
        self.queries = nn.ModuleList([_mlp(dim, config.depth) for _ in range(sets)])
        self.keys = nn.ModuleList([_mlp(dim, config.depth) for _ in range(sets)])
        self.bias = nn.Parameter(torch.full((sets,), config.bias))

    def groups(self, lengths: Tensor) -> Tensor:
        """Groups of sources with `lengths (batch,)` frames."""
        return -(-lengths // self.config.pooling)

    def begin(self, frames: Tensor, lengths: Tensor | None = None) -> PolicyKeys:
        """Keys of `frames (batch, T, dim)`, of which `lengths (batch,)` are real (None: all)."""
        if lengths is None:
            lengths = torch.full((len(frames),), frames.shape[1], device=frames.device)
        pooled = self._pooled(frames, lengths)  # (batch, groups, dim)
        return PolicyKeys(
            tuple(self._split(net(pooled)) for net in self.keys),
            padding_mask(self.groups(lengths), pooled.shape[1]),
        )

    def forward(self, layer: int, x: Tensor, keys: PolicyKeys) -> Tensor:
        """Probabilities, float32 `(batch, heads, n, groups)`, 0 where a group is padding.

        Args:
            layer: number of the decoder layer, from 0.
            x: `(batch, n, dim)` what the layer's cross-attention makes its queries of.
            keys: of `begin`.
        """
        own = 0 if self.config.shared else layer
        query = self._split(self.queries[own](x))  # (batch, heads, n, dim / heads)
        energy = query @ keys.keys[own].transpose(2, 3) * query.shape[-1] ** -0.5
        p = ((energy.float() + self.bias[own]) / self.config.temperature).sigmoid()
        return p.masked_fill(~keys.real[:, None, None], 0.0)

    def stepwise(self, asked: Tensor, keys: PolicyKeys) -> Tensor:
        """Probabilities of all layers `(batch, layers, heads, n, groups)`, for `asked (batch, layers, n, dim)`."""
        return torch.stack([self(layer, x, keys) for layer, x in enumerate(asked.unbind(dim=1))], dim=1)

    def at_end(self, asked: Tensor, frames: Tensor, count: int) -> Tensor:
        """Probability `(batch, n)` that a token is written once `count` frames are heard: that of the last group, mean
        over layers and heads.

        Args:
            asked: `(batch, layers, n, dim)` as for `stepwise`.
            frames: `(batch, T, dim)`, of which those behind `count` are silence that the decoder needs.
            count: frames heard, at least 1.
        """
        counts = torch.full((len(frames),), count, device=frames.device)
        keys = self.begin(*last_group(frames, counts, self.config.pooling))
        return self.stepwise(asked, keys)[..., 0].mean(dim=(1, 2))

    def _pooled(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Mean of the real frames of each group, `(batch, groups, dim)`; 0 where there is none."""
        size = self.config.pooling
        real = padding_mask(lengths, frames.shape[1])[..., None]  # (batch, T, 1)
        short = -frames.shape[1] % size
        frames = nn.functional.pad(frames.masked_fill(~real, 0.0), (0, 0, 0, short)).unflatten(1, (-1, size))
        counts = nn.functional.pad(real, (0, 0, 0, short)).unflatten(1, (-1, size)).sum(dim=2)  # (batch, groups, 1)
        return frames.sum(dim=2) / counts.clamp(min=1)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (batch, heads, time, dim / heads)


def last_group(frames: Tensor, counts: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The last group of the first `counts (batch,)` of `frames (batch, T, dim)`: `(batch, size, dim)`, of which the
    returned `(batch,)` are real."""
    begins = (counts - 1) // size * size  # (batch,)
    places = begins[:, None] + torch.arange(size, device=frames.device)  # (batch, size)
    places = places.clamp(max=frames.shape[1] - 1)
    return frames.gather(1, places[..., None].expand(-1, -1, frames.shape[2])), counts - begins


def _mlp(dim: int, depth: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for number in range(depth):
        layers += [nn.ReLU()] if number else []
        layers.append(nn.Linear(dim, dim))
    return nn.Sequential(*layers)
