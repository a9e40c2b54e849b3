"""Causal layers over time. Each has a state, and `step` over any pieces gives what `forward` gives of the whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class CausalLayer(nn.Module):
    """Base class: `(batch, time, dim)` to `(batch, time', dim')`; an output depends on no later input.

    A state is a tensor or a tuple of states, as in `speech.nn.streaming`.
    """

    def begin(self, batch: int) -> Any:
        """State of `batch` streams before their first frame."""
        raise NotImplementedError

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Outputs that `x (batch, t, dim)` completes, for any `t`, and the next state."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """All complete outputs of `x (batch, time, dim)`."""
        return self.step(x, self.begin(len(x)))[0]


class CausalConvolution(CausalLayer):
    """Convolution: `(batch, time, inputs)` to `(batch, time // stride, outputs)`, with silence before the first frame.

    Args:
        inputs: channels.
        outputs: channels; with `depthwise`, as many as `inputs`.
        kernel: taps, the last of them at the newest frame.
        stride: input frames per output frame.
        dilation: input frames between taps.
        depthwise: whether each channel is convolved by itself.

    Raises:
        ValueError: if a stride skips frames.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        depthwise: bool = False,
    ) -> None:
        super().__init__()
        self.span, self.stride, self.dilation, self.depthwise = (kernel - 1) * dilation + 1, stride, dilation, depthwise
        if self.span < stride:
            raise ValueError(f"a kernel over {self.span} frames skips frames at stride {stride}")
        self.conv = nn.Conv1d(inputs, outputs, kernel, groups=inputs if depthwise else 1)

    def begin(self, batch: int) -> Tensor:
        """The frames that the next output needs: `(batch, span - stride, inputs)`."""
        return self.conv.weight.new_zeros(batch, self.span - self.stride, self.conv.in_channels)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        seen = torch.cat([state, x], dim=1)
        count = max((seen.shape[1] - self.span) // self.stride + 1, 0)
        if not count:
            return x.new_zeros(len(x), 0, self.conv.out_channels), seen
        return self._convolve(seen, count), seen[:, count * self.stride :]

    def _convolve(self, seen: Tensor, count: int) -> Tensor:
        """Outputs `(batch, count, outputs)`; both ways read `(batch, time, channels)` without transposing it."""
        last = (count - 1) * self.stride + 1
        if self.depthwise:
            seen = seen[:, : last + self.span - 1].transpose(1, 2)[..., None]  # a 2-d convolution over (time, 1)
            weight, stride, dilation = self.conv.weight[..., None], (self.stride, 1), (self.dilation, 1)
            y = F.conv2d(seen, weight, self.conv.bias, stride, 0, dilation, self.conv.groups)
            return y[..., 0].transpose(1, 2)
        taps = [seen[:, k : k + last : self.stride] for k in range(0, self.span, self.dilation)]
        weight = self.conv.weight.transpose(1, 2).flatten(1)  # (outputs, kernel * inputs)
        return F.linear(torch.cat(taps, dim=-1), weight, self.conv.bias)


class CausalUpsampling(CausalLayer):
    """Transposed convolution of kernel `taps * factor` and stride `factor`, without its last (taps - 1) * factor
    outputs: `(batch, time, inputs)` to `(batch, time * factor, outputs)`."""

    def __init__(self, inputs: int, outputs: int, factor: int, taps: int = 1) -> None:
        super().__init__()
        self.factor = factor
        self.taps = CausalConvolution(inputs, factor * outputs, taps)

    def begin(self, batch: int) -> Tensor:
        return self.taps.begin(batch)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        y, state = self.taps.step(x, state)
        return y.unflatten(2, (self.factor, -1)).flatten(1, 2), state


class Framewise(CausalLayer):
    """A module that treats each frame by itself, such as a linear layer."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def begin(self, batch: int) -> tuple[()]:
        return ()

    def step(self, x: Tensor, state: tuple[()]) -> tuple[Tensor, tuple[()]]:
        return self.module(x), state


class CausalSequence(CausalLayer):
    """Causal layers one after the other."""

    def __init__(self, layers: Iterable[CausalLayer]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def begin(self, batch: int) -> tuple[Any, ...]:
        return tuple(layer.begin(batch) for layer in self._ordered())

    def step(self, x: Tensor, state: tuple[Any, ...]) -> tuple[Tensor, tuple[Any, ...]]:
        states = []
        for layer, own in zip(self._ordered(), state, strict=True):
            x, following = layer.step(x, own)
            states.append(following)
        return x, tuple(states)

    def _ordered(self) -> list[CausalLayer]:
        return list(self.layers)  # type: ignore[arg-type]
