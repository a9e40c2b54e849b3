"""Symbols to the frames that the decoder speaks: convolutions and an LSTM (Li et al. 2023, "StyleTTS 2")."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from speech.nn.kokoro.masks import frame_mask, masked
from speech.nn.kokoro.recurrent import BidirectionalLstm

SLOPE = 0.2


class SymbolEncoder(nn.Module):
    """Embedding, convolutions normalised over channels, LSTM: `(batch, time)` to `(batch, time, dim)`."""

    def __init__(self, symbols: int, dim: int, layers: int, kernel: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, dim)
        self.convs = nn.ModuleList(nn.Conv1d(dim, dim, kernel, padding=kernel // 2) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(layers))
        self.lstm = BidirectionalLstm(dim, dim)

    def forward(self, symbols: Tensor, lengths: Tensor) -> Tensor:
        """Frames `(batch, time, dim)`, one per symbol `(batch, time)`, 0 beyond `lengths (batch,)`."""
        mask = frame_mask(lengths, symbols.shape[1])
        x = masked(self.embedding(symbols).transpose(1, 2), mask)  # (batch, dim, time)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            y = norm(conv(x).transpose(1, 2)).transpose(1, 2)
            x = masked(F.leaky_relu(y, SLOPE), mask)
        return self.lstm(x.transpose(1, 2), lengths)
