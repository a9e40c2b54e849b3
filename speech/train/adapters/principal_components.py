"""Initialisation of bottlenecks with principal directions of their input.

Paischer et al. 2024 ("EVA", fine-tuning via explained variance adaptation) initialise LoRA this way. Here the input is
a layer's frames after the adapter's normalisation. Second moments are small enough to be accumulated exactly; batches
are read until the directions converge.
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
"""Overlap with the span of the directions of the previous batch at which they count as converged."""
BATCHES = 6
"""Maximum number of batches."""


class Moments:
    """First and second moments of the normalised frames behind some layers.

    Args:
        layers: layer numbers, from 1.
        dim: dimension of the frames.
    """

    def __init__(self, layers: Sequence[int], dim: int) -> None:
        self.count = dict.fromkeys(layers, 0)
        self.total = {layer: torch.zeros(dim, dtype=torch.float64) for layer in layers}
        self.square = {layer: torch.zeros(dim, dim, dtype=torch.float64) for layer in layers}

    def tap(self, lengths: Tensor, frames: int) -> Tap:
        """Tap for an encoder that accumulates the frames of speech and returns them unchanged.

        Args:
            lengths: `(batch,)` numbers of audio frames before the first layer.
            frames: number of frames with padding.
        """

        def look(layer: int, x: Tensor) -> Tensor:
            if layer in self.total:
                factor = 1 if x.shape[1] >= frames else 2  # time may have been reduced in between
                count = -(-frames // factor)
                real = padding_mask((lengths + factor - 1) // factor, count)
                heard = F.layer_norm(x[:, -count:].float(), x.shape[-1:])[real].double().cpu()
                self.count[layer] += len(heard)
                self.total[layer] += heard.sum(dim=0)
                self.square[layer] += heard.T @ heard
            return x

        return look

    def mean(self, layer: int) -> Tensor:
        """Mean frame of a layer, `(dim,)`."""
        return self.total[layer] / max(self.count[layer], 1)

    def directions(self, layer: int, width: int) -> Tensor:
        """The `width` principal directions around the mean, `(width, dim)`, unit vectors, the strongest first."""
        mean = self.mean(layer)
        _, vectors = torch.linalg.eigh(self.square[layer] / max(self.count[layer], 1) - torch.outer(mean, mean))
        found = vectors.T.flip(0)[:width]
        largest = found.abs().argmax(dim=1)
        return found * found[torch.arange(len(found)), largest].sign()[:, None]  # fixes the arbitrary sign


def look(moments: Moments, taps: Iterable[object], width: int) -> int:
    """Iterate over `taps`, each step of which feeds the moments, until the span of the directions converges.

    Returns:
        number of batches read.
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
    """Initialise the bottlenecks of an untrained adapter with the principal directions.

    The bias places the threshold of each unit at the mean.
    """
    for place, layer in enumerate(adapter.layers):
        directions = moments.directions(layer, adapter.width)
        adapter.down[place, : len(directions)] = directions.float()  # there may be more units than directions
        adapter.down_bias[place, : len(directions)] = (-directions @ moments.mean(layer)).float()
