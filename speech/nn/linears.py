"""Copies of a model with other linear layers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection
from typing import Any

from torch import nn


def with_linears[M: nn.Module](model: M, make: Callable[[Any], nn.Module], of: Collection[type[nn.Module]]) -> M:
    """A copy in which `make` stands for every layer of the classes `of`.

    All parameters and buffers, and layers that `make` has made before, are shared with the original.
    """
    found: dict[int, object] = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    found |= {id(module): make(module) for module in model.modules() if type(module) in of}
    found |= {id(module): module for module in model.modules() if type(module) is make}
    return copy.deepcopy(model, found)
