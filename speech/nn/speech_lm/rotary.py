"""Rotary position embedding (Su et al. 2021, "RoFormer") of interleaved pairs of channels, as in Fish-Speech."""

from __future__ import annotations

from enum import StrEnum

import torch
from torch import Tensor, nn


class RopeDtype(StrEnum):
    """Numbers in which sines and cosines are rounded."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    """As in published Fish-Speech models, also in those that compute in float32."""


class RotaryTable(nn.Module):
    """Rotations of all positions of a head.

    Args:
        dim: channels of a head, an even number.
        positions: number of positions.
        base: of the wavelengths.
        dtype: rounding of the table.
    """

    cis: Tensor
    """`(positions, dim / 2, 2)`: cosines and sines."""

    def __init__(self, dim: int, positions: int, base: float, dtype: RopeDtype = RopeDtype.float32) -> None:
        super().__init__()
        with torch.device("cpu"):  # constants stay real even if the model is built without memory
            frequencies = 1.0 / base ** (torch.arange(0, dim, 2).float() / dim)
            angles = torch.outer(torch.arange(positions).float(), frequencies)  # (positions, dim / 2)
            cis = torch.stack([angles.cos(), angles.sin()], dim=-1)
            if dtype == RopeDtype.bfloat16:
                cis = cis.bfloat16().float()
        self.register_buffer("cis", cis, persistent=False)

    def forward(self, positions: Tensor) -> Tensor:
        """Rotations at `positions (batch or 1, n)` for `rotate`: `(batch or 1, 1, n, dim / 2)` complex64."""
        return torch.view_as_complex(self.cis[positions])[:, None]


def rotate(x: Tensor, rotation: Tensor) -> Tensor:
    """Turn channels (2j, 2j + 1) of `x (batch, heads, n, dim)` by the angles of their positions; in x's dtype."""
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))  # (batch, heads, n, dim / 2)
    return torch.view_as_real(pairs * rotation).flatten(-2).to(x.dtype)
