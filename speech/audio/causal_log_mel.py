"""Log-mel features without look-ahead, for codecs: a frame ends with the newest sample that it sees."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from speech.audio.causal_stft import CausalStft
from speech.audio.log_mel import mel_filters

_FLOOR = 1e-5
"""Smallest mel magnitude."""


class CausalLogMel(nn.Module):
    """Log-mel magnitudes of samples at any rate.

    Frame `t` sees the `n_fft` samples up to `(t + 1) * hop`; there is silence before the first sample.

    Args:
        rate: sample rate in Hz; filters reach from 0 to half of it.
        n_fft: length of the Hann window in samples.
        hop: samples per frame, at most `n_fft`.
        n_mels: number of mel filters.
    """

    filters: Tensor

    def __init__(self, rate: int, n_fft: int, hop: int, n_mels: int) -> None:
        super().__init__()
        self.stft, self.n_mels = CausalStft(n_fft, hop), n_mels
        with torch.device("cpu"):  # constants stay real even if the model is built without memory
            filters = torch.from_numpy(mel_filters(n_fft, n_mels, rate)).float()
        self.register_buffer("filters", filters, persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """Compute the complete frames `(batch, N // hop, n_mels)` of `samples (batch, N)`."""
        return self.step(samples, self.begin(len(samples)))[0]

    def begin(self, batch: int) -> Tensor:
        """State before the first sample: that of the STFT."""
        return self.stft.begin(batch)

    def step(self, samples: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return the frames `(batch, t, n_mels)` that `samples (batch, n)` complete (any `n`), and the next state."""
        spectra, state = self.stft.step(samples, state)
        return self.of(spectra), state

    def of(self, spectra: Tensor) -> Tensor:
        """Log-mel magnitudes `(batch, t, n_mels)` of complex spectra `(batch, t, n_fft / 2 + 1)`."""
        return (spectra.abs() @ self.filters).clamp(min=_FLOOR).log()
