"""A small network that hears whether a turn is over: pitch, length and loudness of the last words before a pause."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speech.audio.log_mel import LogMel, LogMelConfig

N_MELS = 40
_REACHES = (5.0, 20.0, 80.0)
"""Frames in which the marks of the end of the speech fade."""
_RANGE = 10.0
"""Natural logarithms of power below the loudest frames that are told apart: 43 dB, so that the floor of a recording
does not count."""
_LOUD = 0.1
"""Share of the frames whose mean is the reference of loudness."""


@dataclass(frozen=True, kw_only=True)
class TurnVoiceConfig:
    """Size of the network."""

    width: int = 96
    kernel: int = 7
    dilations: tuple[int, ...] = (1, 2, 4, 1)


class _TurnBlock(nn.Module):
    """Depthwise convolution and a pointwise layer around a residual."""

    def __init__(self, width: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.depthwise = nn.Conv1d(
            width, width, kernel, padding=kernel // 2 * dilation, dilation=dilation, groups=width
        )
        self.pointwise = nn.Linear(width, width)

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        mixed = self.depthwise((self.norm(frames) * mask).transpose(1, 2)).transpose(1, 2)
        result: Tensor = frames + self.pointwise(F.gelu(mixed))
        return result


class TurnVoiceNetwork(nn.Module):
    """Log-odds that a turn is over, from log-mel frames of 10 ms that end with its last speech."""

    def __init__(self, config: TurnVoiceConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.front = nn.Conv1d(N_MELS + len(_REACHES), width, 5, stride=4, padding=2)
        self.blocks = nn.ModuleList(_TurnBlock(width, config.kernel, dilation) for dilation in config.dilations)
        self.norm = nn.LayerNorm(width)
        self.attention = nn.Linear(width, 1)
        self.hidden = nn.Linear(2 * width, width)
        self.dropout = nn.Dropout(0.2)
        self.output = nn.Linear(width, 1)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Log-odds `(batch,)`.

        Args:
            frames: `(batch, T, N_MELS)` of `levelled_frames`, each row at the end: what is missing lies in front.
            lengths: `(batch,)` frames of each row.
        """
        count = frames.shape[1]
        before_end = torch.arange(count - 1, -1, -1, device=frames.device)
        marks = torch.stack([torch.exp(-before_end / reach) for reach in _REACHES], dim=1)
        inside = (before_end < lengths[:, None])[..., None].to(frames.dtype)
        inputs = torch.cat([frames, marks.expand(len(frames), -1, -1)], dim=2) * inside
        # the last frame lies on the last output, whatever the length
        inputs = F.pad(inputs.transpose(1, 2), ((1 - count) % 4, 0))
        hidden = self.front(inputs).transpose(1, 2)
        mask = F.pad(inside[..., 0], ((1 - count) % 4, 0))[:, ::4, None]
        for block in self.blocks:
            hidden = block(hidden, mask)
        hidden = self.norm(hidden)
        weights = self.attention(hidden).masked_fill(mask == 0, -1e4).softmax(dim=1)
        pooled = torch.cat([(weights * hidden).sum(dim=1), hidden[:, -5:].mean(dim=1)], dim=1)
        result: Tensor = self.output(self.dropout(F.gelu(self.hidden(pooled))))
        return result[:, 0]


def turn_log_mel() -> LogMel:
    """The front end of the network."""
    return LogMel(LogMelConfig(n_mels=N_MELS))


def levelled_frames(log_mel: LogMel, samples: Tensor) -> Tensor:
    """Frames `(T, N_MELS)` of samples `(n,)` at 16 kHz, relative to the loudest ones."""
    frames = log_mel(samples[None], torch.tensor([len(samples)]))[0][0]
    loudness = frames.mean(dim=1)
    reference = loudness.topk(max(1, round(_LOUD * len(loudness)))).values.mean()
    return (frames - reference).clamp(min=-_RANGE) / 4.0
