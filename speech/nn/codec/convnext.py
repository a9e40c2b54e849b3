"""ConvNeXt blocks over time (Liu et al. 2022; for vocoders, Siuzdak 2023, "Vocos")."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speech.nn.codec.causal import CausalConvolution, CausalLayer
from speech.nn.feed_forward import FeedForward

_EPS = 1e-6


class ConvNextBlock(CausalLayer):
    """Depthwise convolution, LayerNorm, feed-forward network, scale, residual: `(batch, time, dim)` to the same.

    Args:
        dim: channels.
        kernel: frames that the convolution sees.
        expansion: hidden channels per channel.
        scale: initial factor on what the block adds; a small one lets a deep stack start as the identity.
    """

    def __init__(self, dim: int, kernel: int = 7, expansion: int = 4, scale: float = 0.1) -> None:
        super().__init__()
        self.conv = CausalConvolution(dim, dim, kernel, depthwise=True)
        self.norm = nn.LayerNorm(dim, eps=_EPS)
        self.feed_forward = FeedForward(dim, expansion * dim, F.gelu)
        self.gamma = nn.Parameter(torch.full((dim,), scale))

    def begin(self, batch: int) -> Tensor:
        return self.conv.begin(batch)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        y, state = self.conv.step(x, state)
        return x + self.gamma * self.feed_forward(self.norm(y)), state


def convnext_stack(dim: int, layers: int, kernel: int = 7) -> list[CausalLayer]:
    """`layers` blocks whose scales start at one over their number."""
    return [ConvNextBlock(dim, kernel, scale=1 / layers) for _ in range(layers)]
