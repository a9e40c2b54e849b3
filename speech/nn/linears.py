"""Copies of a model with other layers in it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Network(Protocol):
    """Layers with their parameters and buffers, as every `nn.Module` has them."""

    def modules(self) -> Iterator[nn.Module]: ...

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]: ...

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]: ...


def quantized(weight: Tensor, scales: Tensor) -> Tensor:
    """`(out, in)` int8 with a scale for each output, as one tensor."""
    zeros = torch.zeros(len(weight), dtype=torch.int64)
    return torch._make_per_channel_quantized_tensor(weight, scales.double(), zeros, 0)


def in_float32(weight: Tensor) -> Tensor:
    """A weight in whatever numbers, in float32, without a gradient."""
    weight = weight.detach()
    return weight.dequantize() if weight.is_quantized else weight.float()


def shared_copy[M: Network](model: M, replaced: Mapping[int, object]) -> M:
    """A copy with other parts in place of some, by `id`; all other parameters and buffers are shared."""
    found: dict[int, object] = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    return copy.deepcopy(model, found | dict(replaced))


def with_layers[M: Network](model: M, made: Mapping[type[nn.Module], Callable[[Any], nn.Module]]) -> M:
    """A copy in which, for every layer of a class that is a key, stands what its value makes of it.

    All parameters and buffers, and layers of a class that is a value, are shared with the original.
    """
    found: dict[int, object] = {}
    for module in model.modules():
        if type(module) in made:
            found[id(module)] = made[type(module)](module)
        elif type(module) in made.values():
            found[id(module)] = module
    return shared_copy(model, found)
