"""Where a bottleneck looks at first: the directions in which its input varies most.

Paischer et al. 2024 ("EVA", fine-tuning via explained variance adaptation) start LoRA so. Here the input is what an
adapter's normalisation makes of a layer's frames. Its second moments are small enough to be added up as they are, so
nothing is approximated; batches are read until the directions stand still.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from speech.nn.adapters import Adapter
from speech.nn.encoder.base import Tap
from speech.nn.encoder.masks import padding_mask

_STILL = 0.99
"""Share of the directions' span that is that of the batch before, from which it counts as found."""
BATCHES = 6
"""Most that are read."""


class Moments:
    """Of the normalised frames behind some layers.

    Args:
        layers: numbers from 1.
        dim: of frames.
    """

    def __init__(self, layers: Sequence[int], dim: int) -> None:
        self.count = dict.fromkeys(layers, 0)
        self.total = {layer: torch.zeros(dim, dtype=torch.float64) for layer in layers}
        self.square = {layer: torch.zeros(dim, dim, dtype=torch.float64) for layer in layers}

    def tap(self, lengths: Tensor, frames: int) -> Tap:
        """To be given to an encoder: it looks at the frames of speech and leaves them.

        Args:
            lengths: `(batch,)` of audio frames before any layer.
            frames: the longest, padding included.
        """

        def look(layer: int, x: Tensor) -> Tensor:
            if layer in self.total:
                factor = 1 if x.shape[1] >= frames else 2  # time may be reduced on the way
                count = -(-frames // factor)
                real = padding_mask((lengths + factor - 1) // factor, count)
                heard = F.layer_norm(x[:, -count:].float(), x.shape[-1:])[real].double().cpu()
                self.count[layer] += len(heard)
                self.total[layer] += heard.sum(dim=0)
                self.square[layer] += heard.T @ heard
            return x

        return look

    def mean(self, layer: int) -> Tensor:
        """(dim,)"""
        return self.total[layer] / max(self.count[layer], 1)

    def directions(self, layer: int, width: int) -> Tensor:
        """The `width` principal directions around the mean, `(width, dim)`, of length 1, the strongest first."""
        mean = self.mean(layer)
        _, vectors = torch.linalg.eigh(self.square[layer] / max(self.count[layer], 1) - torch.outer(mean, mean))
        found = vectors.T.flip(0)[:width]
        largest = found.abs().argmax(dim=1)
        return found * found[torch.arange(len(found)), largest].sign()[:, None]  # one of two, the same everywhere


def look(moments: Moments, taps: Iterable[object], width: int) -> int:
    """Let `taps` (each step of the iteration feeds the moments) go on until what the directions span stands still.

    Returns:
        batches that were read.
    """
    before: Mapping[int, Tensor] = {}
    read = 0
    for _ in taps:
        read += 1
        now = {layer: moments.directions(layer, width) for layer in moments.total}
        same = [float((now[k] @ before[k].T).square().sum()) / width for k in before]
        if same and min(same) >= _STILL:
            break
        before = now
    return read


@torch.no_grad()
def point(adapter: Adapter, moments: Moments) -> None:
    """Turn the bottlenecks of an adapter that has learned nothing yet to the principal directions.

    A unit is above zero on one side of the mean and silent on the other.
    """
    for place, layer in enumerate(adapter.layers):
        directions = moments.directions(layer, adapter.width)
        adapter.down[place, : len(directions)] = directions.float()  # there may be more units than directions
        adapter.down_bias[place, : len(directions)] = (-directions @ moments.mean(layer)).float()
