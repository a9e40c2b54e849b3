"""Layers of the Firefly codec (Liao et al. 2024, "Fish-Speech", section 3.2): its encoder, and the quantiser with the
changes of rate around it. All are causal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from speech.nn.codec.causal import CausalConvolution, CausalLayer, CausalSequence, CausalUpsampling, Framewise
from speech.nn.codec.convnext import ConvNextBlock
from speech.nn.codec.gfsq import Gfsq, GfsqConfig

_EPS = 1e-6
"""Of the norms."""


def firefly_encoder(inputs: int, depths: Sequence[int], dims: Sequence[int], kernel: int) -> CausalSequence:
    """The encoder `(batch, time, inputs)` to `(batch, time, dims[-1])`: stages of ConvNeXt blocks at one rate.

    Args:
        inputs: features of a frame.
        depths: blocks of each stage.
        dims: channels of each stage.
        kernel: frames that the first convolution and each block see.
    """
    layers: list[CausalLayer] = []
    for stage, (depth, dim) in enumerate(zip(depths, dims, strict=True)):
        if stage == 0:
            layers += [CausalConvolution(inputs, dim, kernel), _norm(dim)]
        else:
            layers += [_norm(dims[stage - 1]), Framewise(nn.Linear(dims[stage - 1], dim))]
        layers += [ConvNextBlock(dim, kernel) for _ in range(depth)]
    return CausalSequence([*layers, _norm(dims[-1])])


def _norm(dim: int) -> Framewise:
    return Framewise(nn.LayerNorm(dim, eps=_EPS))


class FireflyQuantizer(nn.Module):
    """Frames to codes at a lower rate, and codes to frames.

    Args:
        dim: channels of a frame.
        factors: of each convolution that lowers the rate; what comes behind the codes raises it in opposite order.
        config: of the quantiser between them.
    """

    def __init__(self, dim: int, factors: Sequence[int], config: GfsqConfig) -> None:
        super().__init__()
        self.factors = tuple(factors)
        self.lower = nn.ModuleList(CausalConvolution(dim, dim, factor, stride=factor) for factor in factors)
        self.lower_blocks = nn.ModuleList(ConvNextBlock(dim) for _ in factors)
        self.gfsq = Gfsq(dim, config)
        raising = [(CausalUpsampling(dim, dim, factor), ConvNextBlock(dim)) for factor in reversed(self.factors)]
        self.raise_rate = CausalSequence(layer for pair in raising for layer in pair)

    def encode(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Codes of whole utterances. A row is what it is alone: what a factor does not divide is filled with zeros.

        Args:
            x: `(batch, time, dim)`.
            lengths: `(batch,)`, frames of each.

        Returns:
            `(batch, codebooks, T)` int64, zero beyond each utterance, and `(batch,)` frames of codes.
        """
        for factor, convolution, block in zip(self.factors, self.lower, self.lower_blocks, strict=True):
            x = nn.functional.pad(x * _real(x, lengths), (0, 0, 0, -x.shape[1] % factor))
            x, lengths = block(convolution(x)), (lengths + factor - 1) // factor
        codes = self.gfsq(x).codes
        return codes * _real(x, lengths)[..., 0][:, None], lengths

    def begin(self, batch: int) -> tuple[Any, ...]:
        """State before the first codes of `batch` streams."""
        return self.raise_rate.begin(batch)

    def step(self, codes: Tensor, state: tuple[Any, ...]) -> tuple[Tensor, tuple[Any, ...]]:
        """Frames `(batch, t * prod(factors), dim)` of codes `(batch, codebooks, t)`, and the next state. Codes beyond
        the last one, which a language model may write, count as the last."""
        return self.raise_rate.step(self.gfsq.decode(codes.clamp(0, self.gfsq.codebook_size - 1)), state)


def _real(x: Tensor, lengths: Tensor) -> Tensor:
    """Which frames of `x (batch, time, dim)` belong to an utterance: `(batch, time, 1)` bool."""
    return (torch.arange(x.shape[1], device=x.device) < lengths[:, None])[..., None]
