"""`ProsodyPredictor` of one row, on `(time, channels)`, with LSTMs and convolutions that may compute in bfloat16."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from speech.nn.kokoro.prosody import ProsodyCurve, ProsodyPredictor
from speech.nn.kokoro.row_layers import Convolution, LstmRow, StyledRow, instance_affine


class RowDurations(NamedTuple):
    """What is known of the symbols before they are spread over frames; see `Durations`."""

    encoded: Tensor
    """`(time, dim + style_dim)`"""
    frames: Tensor
    """`(time,)`"""


class DurationRow:
    """`ProsodyPredictor.durations` of one row.

    Args:
        prosody: whose parameters are shared, but for those of LSTMs.
        dtype: of LSTMs.
    """

    def __init__(self, prosody: ProsodyPredictor, dtype: torch.dtype) -> None:
        self._lstms = [LstmRow(lstm, dtype) for lstm in prosody.encoder.lstms]  # type: ignore[arg-type]
        self._norms, self._last = prosody.encoder.norms, LstmRow(prosody.lstm, dtype)
        self._duration = prosody.duration

    def __call__(self, x: Tensor, style: Tensor, speed: float) -> RowDurations:
        """Durations of symbols `x (time, dim)` in a style `(style_dim,)`; `speed` divides them."""
        every = style.expand(len(x), -1)
        x = torch.cat([x, every], dim=1)
        for lstm, norm in zip(self._lstms, self._norms, strict=True):
            x = torch.cat([norm(lstm(x)[None], style[None])[0], every], dim=1)
        frames = torch.sigmoid(self._duration(self._last(x))).sum(dim=1) / speed
        return RowDurations(x, frames.round().clamp(min=1).long())


class CurveRow:
    """One number for each half of a frame: `(frames, dim)` to `(2 * frames,)`.

    Args:
        curve: whose parameters are copied, but for those of the normalisations, which are shared.
        dtype: of convolutions; all else is float32.
    """

    def __init__(self, curve: ProsodyCurve, dtype: torch.dtype) -> None:
        self._blocks = [StyledRow(block, dtype) for block in curve.blocks]  # type: ignore[arg-type]
        self._norms = [norm for block in curve.blocks for norm in (block.norm1, block.norm2)]
        self._out = Convolution(curve.out, torch.float32)

    def __call__(self, x: Tensor, style: Tensor) -> Tensor:
        """`x (frames, dim)`, `style (style_dim,)`."""
        norms = iter([instance_affine(norm, style) for norm in self._norms])  # type: ignore[arg-type]
        for block in self._blocks:
            x = block(x, norms)
        return self._out(x)[:, 0]
