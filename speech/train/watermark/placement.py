"""Where a row is marked: parts of marked speech are replaced, so that the detector learns to say where a mark is."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from speech.train.watermark.attacks import Draw
from speech.train.watermark.config import PlacementConfig

_PARTS = 3
"""Parts of a row that are replaced, at most."""
_LEAST, _MOST = 0.1, 0.5
"""Length of a part, as a share of the row."""


class Placed(NamedTuple):
    """Rows of which parts are marked."""

    samples: Tensor
    """`(batch, N)`"""
    marked: Tensor
    """`(batch, T)` bool, by frames."""


def place(marked: Tensor, clean: Tensor, hop: int, config: PlacementConfig, draw: Draw) -> Placed:
    """Replace parts of rows by unmarked speech or silence.

    Args:
        marked: `(batch, N)`.
        clean: the same before it was marked.
        hop: samples per frame.
        config: how often.
        draw: random numbers.
    """
    batch, count = marked.shape
    frames = -(-count // hop)
    rows, masks = [], []
    for row in range(batch):
        mask, replacement = torch.ones(frames, dtype=torch.bool), clean[row]
        kind = draw.uniform(0, 1)
        if draw.uniform(0, 1) < config.unmarked:
            mask[:] = False
        elif kind < config.original + config.other + config.silence:
            mask = _parts(frames, draw)
            if kind >= config.original + config.other:
                replacement = torch.zeros_like(clean[row])
            elif kind >= config.original:
                replacement = clean[(row + 1) % batch]
        rows.append(torch.where(mask.repeat_interleave(hop)[:count], marked[row], replacement))
        masks.append(mask)
    return Placed(torch.stack(rows), torch.stack(masks))


def _parts(frames: int, draw: Draw) -> Tensor:
    """A mask `(frames,)` that is False in one to three parts."""
    mask = torch.ones(frames, dtype=torch.bool)
    for _ in range(1 + int(draw.uniform(0, _PARTS))):
        length = int(frames * draw.uniform(_LEAST, _MOST))
        start = int(draw.uniform(0, frames - length + 1))
        mask[start : start + length] = False
    return mask
