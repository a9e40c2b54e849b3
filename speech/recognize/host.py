"""What a model says, brought from its device to the host: once for everything that a step or a batch has to say.

A copy from a GPU waits until all work that was asked for is done, so each has its price, however small it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def to_host(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The same on the CPU, by one copy; those that are there already are given back as they are."""
    away = [tensor for tensor in tensors if tensor.device.type != "cpu"]
    if len(away) < 2:
        return [tensor.cpu() for tensor in tensors]
    # As bytes behind one another, larger numbers first, so that each lies where numbers of its size may.
    away.sort(key=lambda tensor: -tensor.element_size())
    packed = torch.cat([tensor.contiguous().view(-1).view(torch.uint8) for tensor in away]).cpu()
    found: dict[int, Tensor] = {}
    sizes = [tensor.numel() * tensor.element_size() for tensor in away]
    for tensor, part in zip(away, packed.split(sizes), strict=True):
        found[id(tensor)] = part.view(tensor.dtype).view(tensor.shape)
    return [found.get(id(tensor), tensor) for tensor in tensors]
