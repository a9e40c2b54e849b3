"""Decoder head of HiFi-GAN's type, causal (Kong et al. 2020): transposed convolutions and residual blocks.

As in Fish-Speech's vocoder (Liao et al. 2024, section 3.3), blocks of several kernels lie side by side and are
averaged, and the activation is SiLU.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from speech.nn.codec.causal import CausalConvolution, CausalLayer, CausalUpsampling
from speech.ranges import Range, check, ranged, within

_EDGE_KERNEL = 13
"""Taps of the first and the last convolution."""
_COUNTED = within(Range(least=1, count=(1, None)))


@dataclass(kw_only=True, slots=True)
class HifiGanConfig:
    """Shape of the head."""

    channels: int = ranged(256, least=1)
    """Before the first upsampling; each halves them."""
    rates: list[int] = field(default_factory=lambda: [7, 5, 4, 2], metadata=_COUNTED)
    """Factors of upsampling; their product is the number of samples per frame."""
    kernels: list[int] = field(default_factory=lambda: [3, 7, 11], metadata=_COUNTED)
    """Taps of the residual blocks that are averaged."""
    dilations: list[int] = field(default_factory=lambda: [1, 3, 5], metadata=_COUNTED)

    def __post_init__(self) -> None:
        check(self, "model.hifi_gan")


class HifiGanBlock(CausalLayer):
    """For each dilation, two convolutions of it behind SiLU and a residual: `(batch, time, channels)` to the same."""

    def __init__(self, channels: int, kernel: int, dilations: list[int]) -> None:
        super().__init__()
        self.convolutions = torch.nn.ModuleList(
            CausalConvolution(channels, channels, kernel, dilation=dilation) for dilation in dilations for _ in range(2)
        )

    def begin(self, batch: int) -> tuple[Tensor, ...]:
        return tuple(conv.begin(batch) for conv in self._ordered())

    def step(self, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        states, convolutions = [], self._ordered()
        for place in range(0, len(convolutions), 2):
            y, first = convolutions[place].step(F.silu(x), state[place])
            y, second = convolutions[place + 1].step(F.silu(y), state[place + 1])
            x = x + y
            states += [first, second]
        return x, tuple(states)

    def _ordered(self) -> list[CausalConvolution]:
        return list(self.convolutions)  # type: ignore[arg-type]


class HifiGanStage(CausalLayer):
    """SiLU, upsampling, and the mean of residual blocks."""

    def __init__(self, channels: int, rate: int, config: HifiGanConfig) -> None:
        super().__init__()
        inner = max(channels // 2, 1)
        self.up = CausalUpsampling(channels, inner, rate, taps=2)
        self.blocks = torch.nn.ModuleList(HifiGanBlock(inner, kernel, config.dilations) for kernel in config.kernels)

    def begin(self, batch: int) -> tuple[Any, ...]:
        return self.up.begin(batch), tuple(block.begin(batch) for block in self._ordered())

    def step(self, x: Tensor, state: tuple[Any, ...]) -> tuple[Tensor, tuple[Any, ...]]:
        x, up = self.up.step(F.silu(x), state[0])
        each = [block.step(x, own) for block, own in zip(self._ordered(), state[1], strict=True)]
        return torch.stack([y for y, _ in each]).mean(dim=0), (up, tuple(following for _, following in each))

    def _ordered(self) -> list[HifiGanBlock]:
        return list(self.blocks)  # type: ignore[arg-type]


class HifiGanHead(CausalLayer):
    """Frames to samples between -1 and 1: `(batch, time, dim)` to `(batch, time * prod(rates))`."""

    delay = 0

    def __init__(self, dim: int, config: HifiGanConfig) -> None:
        super().__init__()
        self.hop = math.prod(config.rates)
        self.first = CausalConvolution(dim, config.channels, _EDGE_KERNEL)
        widths = [max(config.channels >> place, 1) for place in range(len(config.rates) + 1)]
        self.stages = torch.nn.ModuleList(
            HifiGanStage(width, rate, config) for width, rate in zip(widths[:-1], config.rates, strict=True)
        )
        self.last = CausalConvolution(widths[-1], 1, _EDGE_KERNEL)

    def begin(self, batch: int) -> tuple[Any, ...]:
        return self.first.begin(batch), tuple(stage.begin(batch) for stage in self._ordered()), self.last.begin(batch)

    def step(self, x: Tensor, state: tuple[Any, ...]) -> tuple[Tensor, tuple[Any, ...]]:
        x, first = self.first.step(x, state[0])
        states = []
        for stage, own in zip(self._ordered(), state[1], strict=True):
            x, following = stage.step(x, own)
            states.append(following)
        x, last = self.last.step(F.silu(x), state[2])
        return torch.tanh(x[..., 0].float()), (first, tuple(states), last)

    def _ordered(self) -> list[HifiGanStage]:
        return list(self.stages)  # type: ignore[arg-type]
