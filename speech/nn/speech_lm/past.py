"""Keys and values of the positions that a causal transformer has read; rows may have different lengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from speech.nn.decoder.label import KeysValues
from speech.nn.streaming import Rows


@dataclass(frozen=True, slots=True)
class Past(Rows):
    """A cache of all layers. Rows end at the same place, so that a step extends all of them at once.

    Attributes:
        layers: keys and values of each layer, each `(batch, kv_heads, places, dim / heads)`.
        lengths: real places of each row, the last ones.
    """

    layers: tuple[KeysValues, ...]
    lengths: tuple[int, ...]

    @property
    def places(self) -> int:
        """Places of the longest row."""
        return max(self.lengths)

    def selected(self, slots: Sequence[int]) -> Past:
        lengths = tuple(self.lengths[slot] for slot in slots)
        first = self.places - max(lengths)  # what only longer rows needed is dropped

        def of(x: Tensor) -> Tensor:
            return torch.cat([x[slot : slot + 1, :, first:] for slot in slots])

        return Past(tuple(KeysValues(of(kv.keys), of(kv.values)) for kv in self.layers), lengths)

    def merged(self, others: Sequence[Past]) -> Past:
        all_of_them = (self, *others)
        places = max(past.places for past in all_of_them)

        def joined(layer: int, part: int) -> Tensor:
            each = [(past.layers[layer][part], places - past.places) for past in all_of_them]
            return torch.cat([F.pad(x, (0, 0, missing, 0)) for x, missing in each])

        layers = tuple(KeysValues(joined(n, 0), joined(n, 1)) for n in range(len(self.layers)))
        return Past(layers, tuple(length for past in all_of_them for length in past.lengths))


class NewPlaces:
    """Positions and visible places of the next inputs of a batch.

    Args:
        lengths: real places of each row, the `count` new ones of it included; shorter rows are padded on the left.
        count: new places of the longest row.
        device: of the tensors.

    Attributes:
        positions: `(batch, count)`, from 0 in each row.
        visible: `(batch, 1, count, places)`: a place sees itself and all earlier real ones; None: all see all.
    """

    def __init__(self, lengths: Sequence[int], count: int, device: torch.device) -> None:
        places = max(lengths)
        real = torch.tensor(lengths, device=device)[:, None]  # (batch, 1)
        new = torch.arange(places - count, places, device=device)  # (count,)
        self.positions = (new + real - places).clamp(min=0)
        self.visible: Tensor | None = None
        if count > 1 or min(lengths) < places:
            place = torch.arange(places, device=device)
            causal = place <= new[:, None]  # (count, places)
            known = place >= places - real  # (batch, places)
            itself = place == new[:, None]  # padding sees itself, as a softmax over nothing is not defined
            self.visible = (causal & known[:, None] | itself)[:, None]
