"""Cuts a sequence into random pieces, empty ones among them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from speech.nn.codec.causal import CausalLayer


def cut(x: Tensor, seed: int, longest: int) -> list[Tensor]:
    """Pieces along the second dimension of 0 to `longest` frames."""
    generator = torch.Generator().manual_seed(seed)
    sizes, left = [], x.shape[1]
    while left:
        sizes.append(min(int(torch.randint(0, longest + 1, (1,), generator=generator)), left))
        left -= sizes[-1]
    return list(x.split(sizes, dim=1))


def stepped(step: Callable[[Tensor, Any], tuple[Tensor, Any]], state: Any, pieces: list[Tensor]) -> list[Tensor]:
    """Outputs of a stream's steps."""
    found = []
    for piece in pieces:
        y, state = step(piece, state)
        found.append(y)
    return found


def check_steps(layer: CausalLayer, dim: int, seed: int, frames: int = 41) -> None:
    """Concatenated steps over random pieces equal `forward`."""
    x = torch.randn(2, frames, dim, generator=torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        found = stepped(layer.step, layer.begin(2), cut(x, seed, longest=9))
        torch.testing.assert_close(torch.cat(found, dim=1), layer(x), atol=1e-5, rtol=1e-4)
