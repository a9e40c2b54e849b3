"""What a quantiser returns, and what all quantisers have."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn


class Quantized(NamedTuple):
    """Frames after quantisation."""

    x: Tensor
    """`(batch, time, dim)`; the gradient reaches the quantiser's input."""
    codes: Tensor
    """`(batch, codebooks, time)` int64."""
    loss: Tensor
    """Loss of the quantiser's own, a scalar; zero if it needs none."""


class Quantizer(nn.Module):
    """Base class: frames to codes and back.

    Attributes:
        codebooks: number of codes per frame.
        codebook_size: number of values of a code.
    """

    codebooks: int
    codebook_size: int

    def forward(self, x: Tensor) -> Quantized:
        """Quantise `x (batch, time, dim)`."""
        raise NotImplementedError

    def decode(self, codes: Tensor) -> Tensor:
        """Frames `(batch, time, dim)` of `codes (batch, codebooks, time)`: the `x` that `forward` gives with them."""
        raise NotImplementedError
