"""Log-mel features without look-ahead, for codecs: a frame ends with the newest sample that it sees."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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

    def forward(self, samples: Tensor) -> Tensor:
        """Compute the complete frames `(batch, N // hop, n_mels)` of `samples (batch, N)`."""
        return self.step(samples, self.begin(len(samples)))[0]

    def begin(self, batch: int) -> Tensor:
        """State before the first sample: the samples that the next frame needs, `(batch, n_fft - hop)`."""
        return self.window.new_zeros(batch, self.n_fft - self.hop)

    def step(self, samples: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return the frames `(batch, t, n_mels)` that `samples (batch, n)` complete (any `n`), and the next state."""
        seen = torch.cat([state, samples], dim=1)
        frames = max((seen.shape[1] - self.n_fft) // self.hop + 1, 0)
        if not frames:
            return seen.new_zeros(len(seen), 0, self.n_mels), seen
        spectrum = torch.stft(seen, self.n_fft, self.hop, window=self.window, center=False, return_complex=True)
        mel = spectrum.abs().transpose(1, 2) @ self.filters  # (batch, t, n_mels)
        return mel.clamp(min=_FLOOR).log(), F.pad(seen, (-frames * self.hop, 0))
