"""Sinusoidal positions that never run out.

`period=None` is the published embedding, computed for any index. With a period the frequencies are rounded to whole
turns per period: the position is a point on a ring, smooth everywhere, and an hour of audio sees no position that a
minute did not. The rounding moves a phase by at most half a turn per period, so pretrained weights still read it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class SinusoidalPositions(nn.Module):
    """Embeddings of integer positions.

    Args:
        dim: width, even.
        period: frames of the ring, or None for the unbounded published form.
        interleaved: sine and cosine alternate (Vaswani et al. 2017), or stand in two halves (Whisper).
    """

    table: Tensor

    def __init__(self, dim: int, *, period: int | None, interleaved: bool) -> None:
        super().__init__()
        self.dim = dim
        self.period = period
        self.interleaved = interleaved
        half = dim // 2
        steps = half if interleaved else half - 1
        with torch.device("cpu"):  # constants are real, also where a model is built without memory
            self.rates = torch.exp(-math.log(10000.0) / steps * torch.arange(half, dtype=torch.float64))
            table = torch.empty(0)
            if period is not None:
                turns = torch.round(self.rates * period / (2 * math.pi))
                index = torch.arange(period, dtype=torch.float64)
                table = self._embed(index[:, None] * turns * (2 * math.pi / period))  # (period, dim)
        self.register_buffer("table", table, persistent=False)
        self._moved = self.rates
        """Where positions were asked for last."""

    def _embed(self, angle: Tensor) -> Tensor:
        sine, cosine = torch.sin(angle), torch.cos(angle)  # (..., dim / 2) each
        if self.interleaved:
            return torch.stack([sine, cosine], dim=-1).flatten(-2).float()  # (..., dim)
        return torch.cat([sine, cosine], dim=-1).float()

    def forward(self, index: Tensor) -> Tensor:
        """`index (...)` integers to `(..., dim)` float32."""
        if self.period is not None:
            return self.table[index % self.period]
        if index.device.type not in ("cpu", "cuda"):  # others may have no float64
            return self._embed(index.cpu().double()[..., None] * self.rates).to(index.device)
        if self._moved.device != index.device:
            self._moved = self.rates.to(index.device)
        return self._embed(index.double()[..., None] * self._moved)
