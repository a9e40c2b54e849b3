"""Chunk-aware depthwise convolution over time, and the convolutional gating unit of the cgMLP."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speech.nn.encoder.masks import SequenceLayout


class DepthwiseConvolution(nn.Module):
    """Depthwise convolution with an odd kernel: `(batch, N, channels)` to the same.

    In a chunked layout, a frame sees real frames to its left (prefix included), but nothing beyond its chunk and the
    chunk's right context.
    """

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.reach = kernel // 2
        self.conv = nn.Conv1d(channels, channels, kernel, groups=channels)

    def _convolve(self, x: Tensor) -> Tensor:
        """Run as a 2-d convolution over (time, 1): in channels-last layout, `x` needs no copy."""
        y = F.conv2d(x.transpose(1, 2)[..., None], self.conv.weight[..., None], self.conv.bias, groups=x.shape[-1])
        return y[..., 0].transpose(1, 2)  # (batch, N - 2 reach, channels)

    def forward(self, x: Tensor, layout: SequenceLayout, valid: Tensor) -> Tensor:
        x = x * valid[..., None]
        if layout.chunk is None:
            return self._convolve(F.pad(x, (0, 0, self.reach, self.reach)))
        inputs, outputs = layout.windows(self.reach)  # (windows, reach + width), (N,)
        padded = F.pad(x, (0, 0, 1, 0))  # index -1 selects the zero at position 0
        windows = padded[:, inputs + 1].flatten(0, 1)  # (batch * windows, reach + width, channels)
        y = self._convolve(F.pad(windows, (0, 0, 0, self.reach)))  # (batch * windows, width, channels)
        return y.unflatten(0, (x.shape[0], -1)).flatten(1, 2)[:, outputs]  # (batch, N, channels)

    def begin(self, prefix: Tensor) -> tuple[Tensor, Tensor]:
        """Convolve `prefix (batch, P, channels)`; returns the result and the cache `(batch, reach, channels)`."""
        cache = F.pad(prefix, (0, 0, self.reach, 0))[:, prefix.shape[1] :]
        if not prefix.shape[1]:
            return prefix, cache
        return self._convolve(F.pad(prefix, (0, 0, self.reach, self.reach))), cache

    def step(self, x: Tensor, cache: Tensor, valid: Tensor | None, commit: int) -> tuple[Tensor, Tensor]:
        seen = torch.cat([cache, x if valid is None else x * valid[..., None]], dim=1)  # (batch, reach + size, ...)
        return self._convolve(F.pad(seen, (0, 0, 0, self.reach))), seen[:, commit : commit + self.reach]


class ConvolutionalGating(nn.Module):
    """cgMLP (Sakuma et al. 2022; Peng et al. 2022, section 3.2): up, GELU, then a convolved half gates the other."""

    def __init__(self, dim: int, hidden: int, kernel: int, eps: float) -> None:
        super().__init__()
        self.up = nn.Linear(dim, hidden)
        self.norm = nn.LayerNorm(hidden // 2, eps=eps)
        self.conv = DepthwiseConvolution(hidden // 2, kernel)
        self.down = nn.Linear(hidden // 2, dim)

    def _halves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        content, gate = F.gelu(self.up(x)).chunk(2, dim=-1)  # (batch, N, hidden / 2) each
        return content, self.norm(gate)

    def forward(self, x: Tensor, layout: SequenceLayout, valid: Tensor) -> Tensor:
        content, gate = self._halves(x)
        return self.down(content * self.conv(gate, layout, valid))

    def begin(self, prefix: Tensor) -> tuple[Tensor, Tensor]:
        content, gate = self._halves(prefix)
        gate, cache = self.conv.begin(gate)
        return self.down(content * gate), cache

    def step(self, x: Tensor, cache: Tensor, valid: Tensor | None, commit: int) -> tuple[Tensor, Tensor]:
        content, gate = self._halves(x)
        gate, cache = self.conv.step(gate, cache, valid, commit)
        return self.down(content * gate), cache
