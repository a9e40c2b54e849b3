"""Durations of symbols, fundamental frequency and energy of frames, in a given style (Li et al. 2023, "StyleTTS 2")."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from speech.nn.kokoro.masks import frame_mask, masked
from speech.nn.kokoro.recurrent import BidirectionalLstm
from speech.nn.kokoro.residual import StyledResidual
from speech.nn.kokoro.style_norm import AdaptiveLayerNorm


class Durations(NamedTuple):
    """What is known of the symbols before they are spread over frames."""

    encoded: Tensor
    """`(batch, time, dim + style_dim)`"""
    frames: Tensor
    """Whole numbers of frames `(batch, time)`: at least 1 per symbol, 0 beyond the end of a row."""


class ProsodyEncoder(nn.Module):
    """LSTMs that see the style at every symbol, each normalised by it:
    `(batch, time, dim)` to `(batch, time, dim + style_dim)`."""

    def __init__(self, dim: int, style_dim: int, layers: int) -> None:
        super().__init__()
        self.lstms = nn.ModuleList(BidirectionalLstm(dim + style_dim, dim) for _ in range(layers))
        self.norms = nn.ModuleList(AdaptiveLayerNorm(style_dim, dim) for _ in range(layers))

    def forward(self, x: Tensor, style: Tensor, lengths: Tensor) -> Tensor:
        every = style[:, None].expand(-1, x.shape[1], -1)
        x = torch.cat([x, every], dim=2)
        for lstm, norm in zip(self.lstms, self.norms, strict=True):
            x = torch.cat([norm(lstm(x, lengths), style), every], dim=2)
        mask = frame_mask(lengths, x.shape[1])
        return x if mask is None else x * mask.transpose(1, 2)


class ProsodyCurve(nn.Module):
    """One number for each half of a frame: `(batch, dim, frames)` to `(batch, 2 * frames)`."""

    def __init__(self, dim: int, style_dim: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            [
                StyledResidual(dim, dim, style_dim),
                StyledResidual(dim, dim // 2, style_dim, doubles=True),
                StyledResidual(dim // 2, dim // 2, style_dim),
            ]
        )
        self.out = nn.Conv1d(dim // 2, 1, 1)

    def forward(self, x: Tensor, style: Tensor, lengths: Tensor) -> Tensor:
        for number, block in enumerate(self.blocks):
            x = block(x, style, lengths * 2 if number == 2 else lengths)
        return masked(self.out(x), frame_mask(lengths * 2, x.shape[2]))[:, 0]


class ProsodyPredictor(nn.Module):
    """Predicts durations, and from symbols spread over frames their fundamental frequency and energy.

    Args:
        dim: channels of symbols.
        style_dim: channels of the style.
        layers: LSTMs before the durations.
        max_duration: longest duration of a symbol in frames, at speed 1.
    """

    def __init__(self, dim: int, style_dim: int, layers: int, max_duration: int) -> None:
        super().__init__()
        self.encoder = ProsodyEncoder(dim, style_dim, layers)
        self.lstm = BidirectionalLstm(dim + style_dim, dim)
        self.duration = nn.Linear(dim, max_duration)
        self.shared = BidirectionalLstm(dim + style_dim, dim)
        self.pitch = ProsodyCurve(dim, style_dim)
        self.energy = ProsodyCurve(dim, style_dim)

    def durations(self, x: Tensor, style: Tensor, speeds: Tensor, lengths: Tensor) -> Durations:
        """Durations of symbols `x (batch, time, dim)`; `speeds (batch,)` divide them."""
        encoded = self.encoder(x, style, lengths)
        seconds = torch.sigmoid(self.duration(self.lstm(encoded, lengths))).sum(dim=2) / speeds[:, None]
        frames = seconds.round().clamp(min=1).long()
        mask = frame_mask(lengths, x.shape[1])
        return Durations(encoded, frames if mask is None else frames * mask[:, 0].long())

    def curves(self, x: Tensor, style: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Fundamental frequency in Hz and energy, each `(batch, 2 * frames)`, of `x (batch, frames, dim + style_dim)`;
        `lengths (batch,)` in frames."""
        y = self.shared(x, lengths).transpose(1, 2)  # (batch, dim, frames)
        return self.pitch(y, style, lengths), self.energy(y, style, lengths)


def spread(x: Tensor, frames: Tensor) -> Tensor:
    """Repeat each symbol of `x (batch, time, dim)` for its number of `frames (batch, time)`:
    `(batch, largest sum, dim)`, 0 beyond the end of a row."""
    rows = [row.repeat_interleave(count, dim=0) for row, count in zip(x, frames, strict=True)]
    return pad_sequence(rows, batch_first=True)
