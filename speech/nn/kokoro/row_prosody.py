"""`ProsodyCurve` of one row, on `(time, channels)`, with convolutions that may compute in bfloat16."""

from __future__ import annotations

import torch
from torch import Tensor

from speech.nn.kokoro.prosody import ProsodyCurve
from speech.nn.kokoro.row_layers import Convolution, StyledRow, instance_affine


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
