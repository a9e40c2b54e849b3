"""Rows of different lengths in one batch: frames beyond the end of a row are 0 wherever a layer looks sideways."""

from __future__ import annotations

import torch
from torch import Tensor


def frame_mask(lengths: Tensor, time: int) -> Tensor | None:
    """Mask `(batch, 1, time)`, 1 on the frames of each row and 0 beyond; None if no row is shorter than `time`.

    Args:
        lengths: frames of each row `(batch,)`.
        time: frames of the batch.
    """
    if bool((lengths >= time).all()):
        return None
    return (torch.arange(time, device=lengths.device) < lengths[:, None])[:, None].float()


def masked(x: Tensor, mask: Tensor | None) -> Tensor:
    """Zero `x (batch, channels, time)` beyond the end of each row; see `frame_mask`."""
    return x if mask is None else x * mask.to(x.dtype)
