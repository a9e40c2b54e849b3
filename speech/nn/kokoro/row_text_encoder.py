"""`SymbolEncoder` of one row, on `(time, channels)`, with convolutions and an LSTM that may compute in bfloat16."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from speech.nn.kokoro.row_layers import Convolution, LstmRow
from speech.nn.kokoro.text_encoder import SLOPE, SymbolEncoder


class SymbolRow:
    """Symbols `(time,)` to frames `(time, dim)`.

    Args:
        encoder: whose parameters are copied, but for those of the embedding and of normalisations, which are shared.
        dtype: of convolutions and LSTM; all else is float32.
    """

    def __init__(self, encoder: SymbolEncoder, dtype: torch.dtype) -> None:
        self._embedding, self._norms = encoder.embedding, encoder.norms
        self._convs = [Convolution(conv, dtype) for conv in encoder.convs]  # type: ignore[arg-type]
        self._lstm = LstmRow(encoder.lstm, dtype)

    def __call__(self, symbols: Tensor) -> Tensor:
        x: Tensor = self._embedding(symbols)
        for conv, norm in zip(self._convs, self._norms, strict=True):
            x = F.leaky_relu(norm(conv(x).float()), SLOPE)
        return self._lstm(x)
