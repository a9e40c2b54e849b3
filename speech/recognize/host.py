"""Copies model outputs from the device to the host, in one transfer per step or batch.

A copy from a GPU waits for all queued work to finish, so each copy is costly, however small.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def to_host(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Copy tensors to the CPU in one transfer; tensors already there are returned as they are."""
    away = [tensor for tensor in tensors if tensor.device.type != "cpu"]
    if len(away) < 2:
        return [tensor.cpu() for tensor in tensors]
    # Pack as bytes, larger element sizes first, so that every tensor stays aligned.
    away.sort(key=lambda tensor: -tensor.element_size())
    packed = torch.cat([tensor.contiguous().view(-1).view(torch.uint8) for tensor in away]).cpu()
    found: dict[int, Tensor] = {}
    sizes = [tensor.numel() * tensor.element_size() for tensor in away]
    for tensor, part in zip(away, packed.split(sizes), strict=True):
        found[id(tensor)] = part.view(tensor.dtype).view(tensor.shape)
    return [found.get(id(tensor), tensor) for tensor in tensors]
