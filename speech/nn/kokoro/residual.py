"""Residual blocks with a style, over channels first (Li et al. 2023, "StyleTTS 2")."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speech.nn.kokoro.masks import frame_mask, masked
from speech.nn.kokoro.style_norm import AdaptiveInstanceNorm

SLOPE = 0.2
HALF = 0.5**0.5
"""A sum of two branches keeps their variance."""


class StyledResidual(nn.Module):
    """Two convolutions behind normalisation and LeakyReLU, beside a shortcut:
    `(batch, dim_in, time)` to `(batch, dim_out, time)`, or twice the time.

    Args:
        dim_in: channels of the input.
        dim_out: channels of the output; the shortcut has a convolution where they differ.
        style_dim: channels of the style.
        doubles: whether the block doubles the number of frames, by a transposed convolution per channel, and by
            repetition on the shortcut.
    """

    def __init__(self, dim_in: int, dim_out: int, style_dim: int, *, doubles: bool = False) -> None:
        super().__init__()
        self.norm1 = AdaptiveInstanceNorm(style_dim, dim_in)
        self.norm2 = AdaptiveInstanceNorm(style_dim, dim_out)
        self.conv1 = nn.Conv1d(dim_in, dim_out, 3, padding=1)
        self.conv2 = nn.Conv1d(dim_out, dim_out, 3, padding=1)
        self.shortcut = nn.Conv1d(dim_in, dim_out, 1, bias=False) if dim_in != dim_out else None
        self.up = (
            nn.ConvTranspose1d(dim_in, dim_in, 3, stride=2, padding=1, output_padding=1, groups=dim_in)
            if doubles
            else None
        )

    def forward(self, x: Tensor, style: Tensor, lengths: Tensor) -> Tensor:
        """Args:
        x: `(batch, dim_in, time)`.
        style: `(batch, style_dim)`.
        lengths: frames of each row `(batch,)`, before they are doubled.
        """
        y = F.leaky_relu(self.norm1(x, style, frame_mask(lengths, x.shape[2])), SLOPE)
        if self.up is not None:
            y, x, lengths = self.up(y), x.repeat_interleave(2, dim=2), lengths * 2
        mask = frame_mask(lengths, y.shape[2])
        y = F.leaky_relu(self.norm2(self.conv1(masked(y, mask)), style, mask), SLOPE)
        y = self.conv2(y) + (x if self.shortcut is None else self.shortcut(x))
        return masked(y * HALF, mask)


class SnakeResidual(nn.Module):
    """For each dilation, two convolutions behind normalisation and Snake, x + sin(a x)^2 / a (Ziyin et al. 2020), and
    a residual: `(batch, channels, time)` to the same."""

    def __init__(self, channels: int, kernel: int, dilations: Sequence[int], style_dim: int) -> None:
        super().__init__()
        layers = len(dilations)
        norms = [[AdaptiveInstanceNorm(style_dim, channels) for _ in range(layers)] for _ in range(2)]
        self.norms1, self.norms2 = map(nn.ModuleList, norms)
        self.convs1 = nn.ModuleList(
            nn.Conv1d(channels, channels, kernel, dilation=d, padding=(kernel - 1) * d // 2) for d in dilations
        )
        self.convs2 = nn.ModuleList(nn.Conv1d(channels, channels, kernel, padding=kernel // 2) for _ in dilations)
        self.alphas1 = nn.ParameterList(nn.Parameter(torch.ones(1, channels, 1)) for _ in dilations)
        self.alphas2 = nn.ParameterList(nn.Parameter(torch.ones(1, channels, 1)) for _ in dilations)

    def forward(self, x: Tensor, style: Tensor, mask: Tensor | None) -> Tensor:
        """Args:
        x: `(batch, channels, time)`.
        style: `(batch, style_dim)`.
        mask: see `frame_mask`.
        """
        first = zip(self.norms1, self.alphas1, self.convs1, strict=True)
        second = zip(self.norms2, self.alphas2, self.convs2, strict=True)
        for (norm1, alpha1, conv1), (norm2, alpha2, conv2) in zip(first, second, strict=True):
            y = conv1(snake(norm1(x, style, mask), alpha1))
            x = x + conv2(snake(norm2(y, style, mask), alpha2))
        return masked(x, mask)


def snake(x: Tensor, alpha: Tensor) -> Tensor:
    """Periodic activation of `x (batch, channels, time)` with frequencies `alpha (1, channels, 1)`; 0 stays 0."""
    return x + (alpha * x).sin().square() / alpha
