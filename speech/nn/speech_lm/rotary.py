"""Rotary position embedding (Su et al. 2021, "RoFormer") of interleaved pairs of channels, as in Fish-Speech."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import torch
from torch import Tensor, nn


class RopeDtype(StrEnum):
    """Numbers in which sines and cosines are rounded."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    """As in published Fish-Speech models, also in those that compute in float32."""


class Rotation(NamedTuple):
    """Cosines and sines of positions, each `(batch or 1, n, dim / 2)` float32."""

    cos: Tensor
    sin: Tensor


class RotaryTable(nn.Module):
    """Rotations of all positions of a head.

    Args:
        dim: channels of a head, an even number.
        positions: number of positions.
        base: of the wavelengths.
        dtype: rounding of the table.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, dim: int, positions: int, base: float, dtype: RopeDtype = RopeDtype.float32) -> None:
        super().__init__()
        with torch.device("cpu"):  # constants stay real even if the model is built without memory
            frequencies = 1.0 / base ** (torch.arange(0, dim, 2).float() / dim)
            angles = torch.outer(torch.arange(positions).float(), frequencies)  # (positions, dim / 2)
            cos, sin = angles.cos(), angles.sin()
            if dtype == RopeDtype.bfloat16:
                cos, sin = cos.bfloat16().float(), sin.bfloat16().float()
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def forward(self, positions: Tensor) -> Rotation:
        """Rotations at `positions (batch or 1, n)`."""
        return Rotation(self.cos[positions], self.sin[positions])


def rotate(x: Tensor, rotation: Rotation) -> Tensor:
    """Turn channels (2j, 2j + 1) of `x (batch, heads, n, dim)` by the angles of their positions; in x's dtype."""
    even, odd = x.float().unflatten(-1, (-1, 2)).unbind(-1)  # each (batch, heads, n, dim / 2)
    cos, sin = (part[:, None] for part in rotation)
    return torch.stack([even * cos - odd * sin, odd * cos + even * sin], dim=-1).flatten(-2).to(x.dtype)
