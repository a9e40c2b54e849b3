"""Copies of a model with replaced layers and shared parameters."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Network(Protocol):
    """Protocol of a network: modules, parameters and buffers, as in `nn.Module`."""

    def modules(self) -> Iterator[nn.Module]: ...

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]: ...

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]: ...


def quantized(weight: Tensor, scales: Tensor) -> Tensor:
    """Combine int8 `(out, in)` and scales `(out,)` into a per-channel quantized tensor."""
    zeros = torch.zeros(len(weight), dtype=torch.int64)
    return torch._make_per_channel_quantized_tensor(weight, scales.double(), zeros, 0)


def in_float32(weight: Tensor) -> Tensor:
    """Convert a weight of any precision, quantized or not, to float32 without gradient."""
    weight = weight.detach()
    return weight.dequantize() if weight.is_quantized else weight.float()


def shared_copy[M: Network](model: M, replaced: Mapping[int, object]) -> M:
    """Copy a model, replacing objects by `id`; all other parameters and buffers are shared with the original."""
    found: dict[int, object] = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    return copy.deepcopy(model, found | dict(replaced))


def with_layers[M: Network](model: M, made: Mapping[type[nn.Module], Callable[[Any], nn.Module]]) -> M:
    """Copy a model, replacing every layer whose class is a key of `made` by the result of calling the value on it.

    All other parameters and buffers, and layers whose class is a value of `made`, are shared with the original.
    """
    found: dict[int, object] = {}
    for module in model.modules():
        if type(module) in made:
            found[id(module)] = made[type(module)](module)
        elif type(module) in made.values():
            found[id(module)] = module
    return shared_copy(model, found)
