"""Spectral losses of decoded samples: log-mel distance and multi-resolution STFT loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from speech.audio.log_mel import mel_filters

_LEAST_POWER = 1e-8
_LEAST_MEL = 1e-5
_LEAST_MAGNITUDE = 1e-3
"""Smallest numbers whose logarithm counts."""


class SpectralLoss(NamedTuple):
    """Scalars, each the mean over resolutions."""

    mel: Tensor
    """Mean absolute difference of log-mel magnitudes (natural logarithm)."""
    stft: Tensor
    """Spectral convergence and mean absolute difference of log-magnitudes (Yamamoto et al. 2020, section 2.2)."""


class SpectralLosses(nn.Module):
    """Spectral losses at several window lengths; windows are a quarter of their length apart.

    Args:
        rate: sample rate in Hz.
        n_ffts: window lengths in samples.
        n_mels: mel filters at each.
    """

    def __init__(self, rate: int, n_ffts: Sequence[int], n_mels: Sequence[int]) -> None:
        super().__init__()
        self.n_ffts = list(n_ffts)
        for n_fft, count in zip(n_ffts, n_mels, strict=True):
            filters = torch.from_numpy(mel_filters(n_fft, count, rate)).float()
            self.register_buffer(f"window_{n_fft}", torch.hann_window(n_fft), persistent=False)
            self.register_buffer(f"filters_{n_fft}", filters, persistent=False)

    def forward(self, made: Tensor, wanted: Tensor) -> SpectralLoss:
        """Compare `made` and `wanted`, both `(batch, N)`, in float32."""
        with torch.autocast(made.device.type, enabled=False):
            each = [self._compare(made.float(), wanted.float(), n_fft) for n_fft in self.n_ffts]
        return SpectralLoss(*(torch.stack(values).mean() for values in zip(*each, strict=True)))

    def _compare(self, made: Tensor, wanted: Tensor, n_fft: int) -> tuple[Tensor, Tensor]:
        filters = self.get_buffer(f"filters_{n_fft}")
        ours, theirs = self._magnitudes(made, n_fft), self._magnitudes(wanted, n_fft)  # (batch, frames, bins)
        mel = _log_distance(ours @ filters, theirs @ filters, _LEAST_MEL)
        convergence = (ours - theirs).norm() / theirs.norm().clamp(min=_LEAST_MAGNITUDE)
        return mel, convergence + _log_distance(ours, theirs, _LEAST_MAGNITUDE)

    def _magnitudes(self, samples: Tensor, n_fft: int) -> Tensor:
        window = self.get_buffer(f"window_{n_fft}")
        spectrum = torch.stft(samples, n_fft, n_fft // 4, window=window, pad_mode="constant", return_complex=True)
        power = spectrum.real.square() + spectrum.imag.square()
        return power.clamp(min=_LEAST_POWER).sqrt().transpose(1, 2)


def _log_distance(ours: Tensor, theirs: Tensor, least: float) -> Tensor:
    return (ours.clamp(min=least).log() - theirs.clamp(min=least).log()).abs().mean()
