"""Layers of Kokoro for one row, on `(time, channels)`, with normalisations that are affine maps.

Convolutions read this layout in place; they and LSTMs compute in float32 or bfloat16, all else in float32. Affine maps
of normalisation are merged into the activations behind them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speech.nn.kokoro.recurrent import BidirectionalLstm
from speech.nn.kokoro.residual import HALF, SLOPE, SnakeResidual, StyledResidual
from speech.nn.kokoro.style_norm import EPS, AdaptiveInstanceNorm

type RowNorm = Callable[[Tensor], Tensor]
"""What a normalisation does to `(time, channels)`."""


@dataclass(frozen=True, slots=True)
class Affine:
    """`scale * x + shift`, each `(channels,)`."""

    scale: Tensor
    shift: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """`x (time, channels)`"""
        return torch.addcmul(self.shift, self.scale, x)


@dataclass(frozen=True, slots=True)
class InstanceAffine:
    """`Affine` of what has been normalised over all frames of its input; see `AdaptiveInstanceNorm`."""

    scale: Tensor
    shift: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """`x (time, channels)`"""
        centred = x - x.mean(dim=0)  # a tenth of the time of `var_mean`
        variance = centred.square().mean(dim=0)
        return torch.addcmul(self.shift, self.scale * (variance + EPS).rsqrt(), centred)


def instance_affine(norm: AdaptiveInstanceNorm, style: Tensor) -> InstanceAffine:
    """A normalisation in a style `(style_dim,)`."""
    scale, shift = norm.linear(style).chunk(2)
    return InstanceAffine(1 + scale, shift)


class FoldedSnake(NamedTuple):
    """Snake behind an affine map: `scale x + shift + height sin(rate x + phase)^2`, each `(channels,)`."""

    scale: Tensor
    shift: Tensor
    rate: Tensor
    phase: Tensor
    height: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """`x (time, channels)`"""
        wave = torch.addcmul(self.phase, self.rate, x).sin_().square_()
        return torch.addcmul(self.shift, self.scale, x).addcmul_(self.height, wave)


def folded(affine: Affine, alpha: Tensor) -> FoldedSnake:
    """Snake with frequencies `alpha` behind an affine map."""
    alpha = alpha.flatten()
    return FoldedSnake(affine.scale, affine.shift, alpha * affine.scale, alpha * affine.shift, alpha.reciprocal())


type Snakes = Sequence[tuple[FoldedSnake, FoldedSnake]]
"""Activations of a `SnakeRow`: in front of each convolution of each pair."""


class Convolution:
    """A convolution of `(time, channels)`. On CPUs with oneDNN its weights are packed once and not at every call, which
    is most of the time of a short window.

    Args:
        conv: whose parameters are copied.
        dtype: in which it computes; sums and results are as the backend has them.
    """

    def __init__(self, conv: nn.Conv1d | nn.ConvTranspose1d, dtype: torch.dtype) -> None:
        weight = conv.weight.detach()[:, :, None].to(dtype)
        self._weight = weight.contiguous(memory_format=torch.channels_last)
        self._bias = None if conv.bias is None else conv.bias.detach().to(dtype)
        self._dtype, self._up = dtype, isinstance(conv, nn.ConvTranspose1d)
        self._stride, self._dilation = (1, conv.stride[0]), (1, conv.dilation[0])
        self._padding = (0, int(conv.padding[0]))
        self._packed = not self._up and weight.device.type == "cpu" and torch.backends.mkldnn.is_available()
        if self._packed:
            shape = [*self._padding], [*self._stride], [*self._dilation]
            self._weight = torch._C._nn.mkldnn_reorder_conv2d_weight(self._weight.to_mkldnn(), *shape, 1)

    def __call__(self, x: Tensor) -> Tensor:
        time, channels = x.shape
        image = x.to(self._dtype).view(1, 1, time, channels).permute(0, 3, 1, 2)
        y = self._convolved(image)
        return y.permute(0, 2, 3, 1).reshape(y.shape[3], y.shape[1])

    def _convolved(self, image: Tensor) -> Tensor:
        weight, bias, padding, stride, dilation = self._weight, self._bias, self._padding, self._stride, self._dilation
        if self._up:
            return F.conv_transpose2d(image, weight, bias, stride, padding)
        if self._packed:
            y: Tensor = torch.ops.mkldnn._convolution_pointwise(
                image, weight, bias, padding, stride, dilation, 1, "none", [], ""
            )
            return y
        return F.conv2d(image, weight, bias, stride, padding, dilation)


class LstmRow:
    """`BidirectionalLstm` of one row.

    Args:
        lstm: whose parameters are copied.
        dtype: in which it computes; it takes and gives float32.
    """

    def __init__(self, lstm: BidirectionalLstm, dtype: torch.dtype) -> None:
        self._lstm, self._dtype = copy.deepcopy(lstm.lstm).to(dtype), dtype

    def __call__(self, x: Tensor) -> Tensor:
        """`(time, dim_in)` to `(time, dim)`"""
        y: Tensor = self._lstm(x.to(self._dtype)[None])[0]
        return y[0].float()


class StyledRow:
    """`StyledResidual` of one row."""

    def __init__(self, block: StyledResidual, dtype: torch.dtype) -> None:
        self._conv1, self._conv2 = Convolution(block.conv1, dtype), Convolution(block.conv2, dtype)
        self._shortcut = None if block.shortcut is None else Convolution(block.shortcut, dtype)
        self._up = None if block.up is None else _taps_and_bias(block.up)

    def __call__(self, x: Tensor, norms: Iterator[RowNorm]) -> Tensor:
        """`x (time, dim_in)`; takes both normalisations of the block from `norms`."""
        first, second = next(norms), next(norms)
        y = F.leaky_relu(first(x), SLOPE)
        if self._up is not None:
            y, x = _doubled(y, *self._up), x.repeat_interleave(2, dim=0)
        y = self._conv1(y)
        y = self._conv2(F.leaky_relu(second(y.float()), SLOPE))
        return (y.float() + (x if self._shortcut is None else self._shortcut(x).float())) * HALF


class SnakeRow:
    """`SnakeResidual` of one row."""

    def __init__(self, block: SnakeResidual, dtype: torch.dtype) -> None:
        self.alphas = [alpha.detach() for alpha in (*block.alphas1, *block.alphas2)]
        """Frequencies behind each normalisation, in their order."""
        convs = zip(block.convs1, block.convs2, strict=True)
        self._pairs = [(Convolution(a, dtype), Convolution(b, dtype)) for a, b in convs]  # type: ignore[arg-type]

    def __call__(self, x: Tensor, snakes: Snakes) -> Tensor:
        for (first, second), (conv1, conv2) in zip(snakes, self._pairs, strict=True):
            y = conv1(first(x)).float()
            x = x + conv2(second(y))
        return x

    def folded(self, affines: Iterator[Affine]) -> Snakes:
        """Activations of an utterance; takes the affine map of each normalisation."""
        both = [folded(next(affines), alpha) for alpha in self.alphas]
        half = len(both) // 2
        return list(zip(both[:half], both[half:], strict=True))


def _taps_and_bias(up: nn.ConvTranspose1d) -> tuple[Tensor, Tensor]:
    """Taps `(3, channels)` and bias `(channels,)` of a transposed convolution by channel."""
    assert up.bias is not None
    return up.weight.detach()[:, 0].t().contiguous(), up.bias.detach()


def _doubled(x: Tensor, taps: Tensor, bias: Tensor) -> Tensor:
    """A transposed convolution of three taps with stride 2, by channel: `(time, channels)` to twice the time."""
    behind = F.pad(x[1:], (0, 0, 0, 1))
    return torch.stack([x * taps[1], x * taps[2] + behind * taps[0]], dim=1).flatten(0, 1) + bias
