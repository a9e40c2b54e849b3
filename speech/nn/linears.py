"""Copies of a model with other layers in it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn


def quantized(weight: Tensor, scales: Tensor) -> Tensor:
    """`(out, in)` int8 with a scale for each output, as one tensor."""
    zeros = torch.zeros(len(weight), dtype=torch.int64)
    return torch._make_per_channel_quantized_tensor(weight, scales.double(), zeros, 0)


def in_float32(weight: Tensor) -> Tensor:
    """A weight in whatever numbers, in float32, without a gradient."""
    weight = weight.detach()
    return weight.dequantize() if weight.is_quantized else weight.float()


def shared_copy[M: nn.Module](model: M, replaced: Mapping[int, object]) -> M:
    """A copy with other parts in place of some, by `id`; all other parameters and buffers are shared."""
    found: dict[int, object] = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    return copy.deepcopy(model, found | dict(replaced))


def with_linears[M: nn.Module](model: M, make: Callable[[Any], nn.Module], of: Collection[type[nn.Module]]) -> M:
    """A copy in which `make` stands for every layer of the classes `of`.

    All parameters and buffers, and layers that `make` has made before, are shared with the original.
    """
    found: dict[int, object] = {id(module): make(module) for module in model.modules() if type(module) in of}
    found |= {id(module): module for module in model.modules() if type(module) is make}
    return shared_copy(model, found)
