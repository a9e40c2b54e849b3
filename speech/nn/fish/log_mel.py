"""Log-mel features of the Firefly codec (Liao et al. 2024, "Fish-Speech"), for whole utterances.

They differ from `speech.audio.causal_log_mel` in what surrounds an utterance: windows are centred on their hop, and
both ends are reflected.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from speech.audio.log_mel import mel_filters

_POWER = 1e-6
"""Added to the power of each bin, so that a magnitude has a gradient at 0."""
_FLOOR = 1e-5
"""Smallest mel magnitude."""


class FireflyLogMel(nn.Module):
    """Log-mel magnitudes of samples; an utterance of `n` samples has `n // hop` frames.

    Args:
        rate: sample rate in Hz; filters reach from 0 to half of it.
        n_fft: length of the Hann window in samples.
        hop: samples per frame; `n_fft - hop` is even.
        n_mels: number of mel filters.
    """

    window: Tensor
    filters: Tensor

    def __init__(self, rate: int, n_fft: int, hop: int, n_mels: int) -> None:
        super().__init__()
        self.n_fft, self.hop, self.n_mels = n_fft, hop, n_mels
        with torch.device("cpu"):  # constants stay real even if the model is built without memory
            window = torch.hann_window(n_fft, periodic=True)
            filters = torch.from_numpy(mel_filters(n_fft, n_mels, rate)).float()
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("filters", filters, persistent=False)

    @property
    def side(self) -> int:
        """Samples that are reflected at each end; an utterance must have more."""
        return (self.n_fft - self.hop) // 2

    def forward(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features of whole utterances. Each is reflected at its own end, so padding has no effect.

        Args:
            samples: `(batch, N)` float32.
            lengths: `(batch,)`, samples of each, more than `side`.

        Returns:
            `(batch, T, n_mels)`, zero beyond each utterance, and `(batch,)` frames.
        """
        last = lengths[:, None] - 1
        index = torch.arange(-self.side, samples.shape[1] + self.side, device=samples.device).abs()
        index = torch.where(index > last, 2 * last - index, index).clamp(min=0)  # (batch, N + 2 * side)
        padded = samples.gather(1, index)
        spectra = torch.stft(padded, self.n_fft, self.hop, window=self.window, center=False, return_complex=True)
        magnitudes = (torch.view_as_real(spectra).square().sum(dim=-1) + _POWER).sqrt()  # (batch, bins, T)
        features = (magnitudes.transpose(1, 2) @ self.filters).clamp(min=_FLOOR).log()
        frames = lengths // self.hop
        real = torch.arange(features.shape[1], device=features.device) < frames[:, None]
        return features * real[..., None], frames
