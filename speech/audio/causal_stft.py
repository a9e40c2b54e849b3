"""Short-time Fourier transform without look-ahead: a frame ends with the newest sample that it sees."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class CausalStft(nn.Module):
    """Complex spectra of windows; frame `t` sees the `n_fft` samples up to `(t + 1) * hop`, silence before the first.

    Args:
        n_fft: length of the Hann window in samples.
        hop: samples per frame, at most `n_fft`.
    """

    window: Tensor

    def __init__(self, n_fft: int, hop: int) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        with torch.device("cpu"):  # constants stay real even if the model is built without memory
            window = torch.hann_window(n_fft, periodic=True)
        self.register_buffer("window", window, persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """Compute the complete frames `(batch, N // hop, n_fft / 2 + 1)` of `samples (batch, N)`."""
        return self.step(samples, self.begin(len(samples)))[0]

    def begin(self, batch: int) -> Tensor:
        """State before the first sample: the samples that the next frame needs, `(batch, n_fft - hop)`."""
        return self.window.new_zeros(batch, self.n_fft - self.hop)

    def step(self, samples: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return the frames `(batch, t, n_fft / 2 + 1)` that `samples (batch, n)` complete (any `n`), and the next
        state."""
        seen = torch.cat([state, samples], dim=1)
        frames = max((seen.shape[1] - self.n_fft) // self.hop + 1, 0)
        if not frames:
            return seen.new_zeros(len(seen), 0, self.n_fft // 2 + 1, dtype=torch.complex64), seen
        spectra = torch.stft(seen, self.n_fft, self.hop, window=self.window, center=False, return_complex=True)
        return spectra.transpose(1, 2), F.pad(seen, (-frames * self.hop, 0))
