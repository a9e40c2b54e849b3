"""Normalisation whose scale and shift are read off a style vector."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from speech.nn.kokoro.masks import masked

EPS = 1e-5


class AdaptiveInstanceNorm(nn.Module):
    """Each channel is normalised over the frames of its row (Huang and Belongie 2017):
    `(batch, channels, time)` to the same, 0 beyond the end of a row."""

    def __init__(self, style_dim: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.linear = nn.Linear(style_dim, 2 * channels)

    def forward(self, x: Tensor, style: Tensor, mask: Tensor | None) -> Tensor:
        """Normalise.

        Args:
            x: `(batch, channels, time)`.
            style: `(batch, style_dim)`.
            mask: see `frame_mask`.
        """
        scale, shift = self.linear(style)[..., None].chunk(2, dim=1)
        if mask is None:
            return (1 + scale) * F.instance_norm(x, eps=EPS) + shift
        count = mask.sum(dim=2, keepdim=True)
        centred = (x - (x * mask).sum(dim=2, keepdim=True) / count) * mask
        variance = centred.square().sum(dim=2, keepdim=True) / count
        return masked((1 + scale) * (centred * (variance + EPS).rsqrt()) + shift, mask)


class AdaptiveLayerNorm(nn.Module):
    """Each frame is normalised over its channels: `(batch, time, channels)` to the same."""

    def __init__(self, style_dim: int, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(style_dim, 2 * channels)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Normalise `x (batch, time, channels)` by `style (batch, style_dim)`."""
        scale, shift = self.linear(style)[:, None].chunk(2, dim=2)
        return (1 + scale) * F.layer_norm(x, x.shape[2:], eps=EPS) + shift
