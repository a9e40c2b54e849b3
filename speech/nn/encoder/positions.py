"""Sinusoidal position embeddings without a maximum length.

`period=None` is the published embedding, computed for any index. With a period, frequencies are rounded to whole turns
per period. Positions then lie on a ring and repeat, so that long audio has no positions that short audio lacks. The
rounding moves a phase by at most half a turn per period, so pretrained weights remain usable.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class SinusoidalPositions(nn.Module):
    """Embeddings of integer positions.

    Args:
        dim: width, even.
        period: length of the ring in frames, or None for the published unbounded form.
        interleaved: True: sine and cosine alternate (Vaswani et al. 2017); False: two halves (Whisper).
    """

    table: Tensor

    def __init__(self, dim: int, *, period: int | None, interleaved: bool) -> None:
        super().__init__()
        self.dim = dim
        self.period = period
        self.interleaved = interleaved
        half = dim // 2
        steps = half if interleaved else half - 1
        with torch.device("cpu"):  # constants stay real even if the model is built without memory
            self.rates = torch.exp(-math.log(10000.0) / steps * torch.arange(half, dtype=torch.float64))
            table = torch.empty(0)
            if period is not None:
                turns = torch.round(self.rates * period / (2 * math.pi))
                index = torch.arange(period, dtype=torch.float64)
                table = self._embed(index[:, None] * turns * (2 * math.pi / period))  # (period, dim)
        self.register_buffer("table", table, persistent=False)
        self._moved = self.rates
        """`rates` on the device of the last call."""

    def _embed(self, angle: Tensor) -> Tensor:
        sine, cosine = torch.sin(angle), torch.cos(angle)  # (..., dim / 2) each
        if self.interleaved:
            return torch.stack([sine, cosine], dim=-1).flatten(-2).float()  # (..., dim)
        return torch.cat([sine, cosine], dim=-1).float()

    def forward(self, index: Tensor) -> Tensor:
        """Integers `index (...)` to `(..., dim)` float32."""
        if self.period is not None:
            return self.table[index % self.period]
        if index.device.type not in ("cpu", "cuda"):  # other devices may lack float64
            return self._embed(index.cpu().double()[..., None] * self.rates).to(index.device)
        if self._moved.device != index.device:
            self._moved = self.rates.to(index.device)
        return self._embed(index.double()[..., None] * self._moved)
