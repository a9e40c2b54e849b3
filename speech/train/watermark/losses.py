"""Losses of a watermark: detection by frame, bits by frame and row, and the mark's loudness beside the speech."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speech.audio.log_mel import mel_filters
from speech.nn.watermark.detector import Detected

_LEAST_POWER = 1e-8
_INAUDIBLE = 1e-4
"""Power of a band in which speech has nothing, nor need a mark be quieter."""
_DECIBELS = 10.0
"""Scale of excess loudness: ten decibels too many cost one."""
_SOFTNESS_DB = 5.0
"""The louder a mark is in a band and window, the more it counts there: weights fall by e per so many decibels."""
_INDEPENDENT = 50
"""Frames after which what a detector says is about independent; it hears that many together."""
_AUDIBLE = 1e-3
"""RMS of a frame's surroundings below which there is nothing to be marked."""
_SURROUNDINGS = 20
"""Frames on either side."""


class DetectionLoss(NamedTuple):
    """Scalars."""

    presence: Tensor
    """Cross-entropy of presence over frames."""
    bits: Tensor
    """Cross-entropy of the bits, the mean of frames' and rows'."""
    frames_right: Tensor
    """Share of frames whose presence is right."""
    bits_right: Tensor
    """Share of the bits of marked rows that are right by all frames together."""


def detection_loss(detected: Detected, marked: Tensor, counts: Tensor, bits: Tensor) -> DetectionLoss:
    """Compare what was detected with what is there.

    Args:
        detected: of `(batch, T)` frames.
        marked: `(batch, T)` bool.
        counts: `(batch, T)` bool, which frames count.
        bits: `(batch, bits)` 0 or 1.
    """
    wanted, weights = marked.to(detected.presence), counts.to(detected.presence)
    each = F.binary_cross_entropy_with_logits(detected.presence, wanted, reduction="none")
    presence = (each * weights).sum() / weights.sum().clamp(min=1)
    right = ((detected.presence > 0) == marked).to(weights)
    there = (weights * wanted)[..., None]  # (batch, T, 1)
    targets = bits[:, None].expand_as(detected.bits)
    by_frame = F.binary_cross_entropy_with_logits(detected.bits, targets, reduction="none")
    by_frame = (by_frame * there).sum() / (there.sum() * bits.shape[1]).clamp(min=1)
    evidence = (detected.bits * there).sum(1) / _INDEPENDENT  # (batch, bits)
    rows = (there.sum((1, 2)) >= _INDEPENDENT).to(weights)[:, None]
    by_row = F.binary_cross_entropy_with_logits(evidence, bits, reduction="none")
    found = ((evidence > 0) == (bits > 0.5)).to(weights)
    total = (rows.sum() * bits.shape[1]).clamp(min=1)
    return DetectionLoss(
        presence,
        (by_frame + (by_row * rows).sum() / total) / 2,
        (right * weights).sum() / weights.sum().clamp(min=1),
        (found * rows).sum() / total,
    )


def audible(samples: Tensor, hop: int) -> Tensor:
    """Frames `(batch, T)` bool around which `samples (batch, N)` are louder than silence."""
    power = F.pad(samples, (0, -samples.shape[1] % hop)).square().unflatten(1, (-1, hop)).mean(2)
    width = 2 * _SURROUNDINGS + 1
    around = F.avg_pool1d(power[:, None], width, 1, _SURROUNDINGS, count_include_pad=False)[:, 0]
    return around > _AUDIBLE**2


class LoudnessLoss(nn.Module):
    """Mark that is louder than allowed, by band and window (after San Roman et al. 2024, section 3.2, "TF-Loudness").

    Args:
        rate: sample rate in Hz.
        below_db: the mark may be so many decibels below the speech.
        bands: mel bands.
        window_s: seconds of a window.
    """

    filters: Tensor
    window: Tensor

    def __init__(self, rate: int, below_db: float, bands: int = 16, window_s: float = 0.5) -> None:
        super().__init__()
        self.below_db, self.n_fft = below_db, 1 << round(rate / 25).bit_length()
        self.frames = max(round(window_s * rate / (self.n_fft // 2)), 1)
        filters = torch.from_numpy(mel_filters(self.n_fft, bands, rate)).float()
        self.register_buffer("filters", filters, persistent=False)
        self.register_buffer("window", torch.hann_window(self.n_fft), persistent=False)

    def forward(self, marked: Tensor, clean: Tensor) -> Tensor:
        """A scalar for `marked` and `clean`, both `(batch, N)`."""
        inaudible = _INAUDIBLE * 10 ** (-self.below_db / 10)
        ratio = (self._power(marked - clean) + inaudible / 2) / (self._power(clean) + _INAUDIBLE)
        excess = 10 * ratio.log10() + self.below_db  # (batch, windows, bands)
        weights = torch.softmax(excess.detach().flatten(1) / _SOFTNESS_DB, dim=1)
        return (weights * F.relu(excess.flatten(1))).sum(1).mean() / _DECIBELS

    def _power(self, samples: Tensor) -> Tensor:
        spectrum = torch.stft(
            samples, self.n_fft, self.n_fft // 2, window=self.window, pad_mode="constant", return_complex=True
        )
        power = (spectrum.real.square() + spectrum.imag.square()).transpose(1, 2) @ self.filters
        windows = F.avg_pool1d(power.transpose(1, 2), min(self.frames, power.shape[1]), ceil_mode=True)
        return windows.transpose(1, 2)


def snr_db(marked: Tensor, clean: Tensor) -> Tensor:
    """Level of the speech over the mark in dB, the mean over rows `(batch, N)`."""
    noise = (marked - clean).square().sum(1) + _LEAST_POWER
    return 10 * ((clean.square().sum(1) + _LEAST_POWER) / noise).log10().mean()
