"""Short-time Fourier transform and its inverse with centred Hann windows, over rows of different lengths."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speech.nn.kokoro.masks import frame_mask, masked

_ANGLES = 2048
"""Frames whose phases are computed in one go, few enough for one thread: where torch divides numbers among threads,
those at the seams are computed by another formula."""


class CentredStft(nn.Module):
    """Frame `t` is centred on sample `t * hop`; a row of `n` samples, a multiple of `hop`, has `n / hop + 1` frames.

    Args:
        n_fft: length of the Hann window in samples, even.
        hop: samples between frames.
    """

    window: Tensor

    def __init__(self, n_fft: int, hop: int) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        with torch.device("cpu"):  # constants stay real even if the model is built without memory
            window = torch.hann_window(n_fft, periodic=True)
        self.register_buffer("window", window, persistent=False)

    def forward(self, samples: Tensor, lengths: Tensor) -> Tensor:
        """Magnitudes and phases `(batch, n_fft + 2, frames)` of `samples (batch, N)`, reflected at both ends of each
        row of `lengths (batch,)`; 0 beyond."""
        half, time = self.n_fft // 2, samples.shape[1]
        places = torch.arange(-half, time + half, device=samples.device).abs()[None]
        last = lengths[:, None] - 1
        places = torch.where(places > last, 2 * last - places, places).clamp(min=0)  # (batch, N + n_fft)
        spectra = torch.stft(
            samples.gather(1, places),
            self.n_fft,
            self.hop,
            window=self.window,
            center=False,
            return_complex=True,
        )
        angles = [part.angle() for part in spectra.split(_ANGLES, dim=2)]
        parts = torch.cat([spectra.abs(), torch.cat(angles, dim=2)], dim=1)
        return masked(parts, frame_mask(lengths // self.hop + 1, parts.shape[2]))

    def inverse(self, magnitudes: Tensor, phases: Tensor, lengths: Tensor) -> Tensor:
        """Samples `(batch, (frames - 1) * hop)` by overlap-add, 0 beyond the end of a row.

        Args:
            magnitudes: `(batch, n_fft / 2 + 1, frames)`.
            phases: the same, in radians.
            lengths: frames of each row `(batch,)`.
        """
        frames = torch.fft.irfft(torch.polar(magnitudes, phases), self.n_fft, dim=1) * self.window[:, None]
        mask = frame_mask(lengths, frames.shape[2])
        weights = masked(self.window.square()[:, None].expand(len(frames), -1, frames.shape[2]), mask)
        samples = self._overlapped(masked(frames, mask)) / self._overlapped(weights).clamp(min=1e-11)
        return masked(samples, frame_mask((lengths - 1) * self.hop, samples.shape[2]))[:, 0]

    def _overlapped(self, frames: Tensor) -> Tensor:
        """Sum of frames `(batch, n_fft, frames)`, each a hop later: `(batch, 1, (frames - 1) * hop)` without the half
        window at either end."""
        whole = (frames.shape[2] - 1) * self.hop + self.n_fft
        added = F.fold(frames, (1, whole), (1, self.n_fft), stride=(1, self.hop))[:, :, 0]
        return added[:, :, self.n_fft // 2 : whole - self.n_fft // 2]
