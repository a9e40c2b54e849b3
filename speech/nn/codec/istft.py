"""Decoder head: frames to spectra, and spectra to samples by overlap-add (Siuzdak 2023, "Vocos"), causal."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speech.nn.codec.causal import CausalLayer

_LARGEST_LOG = 7.0
"""Limit on the logarithm of a magnitude; a full-scale sine has log(n_fft / 4)."""
_LEAST_WEIGHT = 1e-3
"""Least sum of squared windows that samples are divided by; only the first samples of a stream have less."""


class OverlapState(NamedTuple):
    """What earlier frames add to the next samples, each `(batch, n_fft - hop)`."""

    samples: Tensor
    weights: Tensor
    """Sum of squared windows."""


class InverseStft(CausalLayer):
    """Inverse STFT by overlap-add: complex spectra `(batch, time, n_fft / 2 + 1)` to samples `(batch, time * hop)`.

    Frame `t` reaches from sample `t * hop` to `t * hop + n_fft`. No later frame can change the samples that `step`
    returns, so those of `t` frames are the first `t * hop`.

    Args:
        n_fft: length of the Hann window in samples.
        hop: samples per frame, a divisor of `n_fft`.

    Raises:
        ValueError: if hop does not divide n_fft.
    """

    window: Tensor

    def __init__(self, n_fft: int, hop: int) -> None:
        super().__init__()
        if n_fft % hop:
            raise ValueError(f"hop {hop} does not divide n_fft {n_fft}")
        self.n_fft, self.hop = n_fft, hop
        with torch.device("cpu"):  # constants stay real even if the model is built without memory
            window = torch.hann_window(n_fft, periodic=True)
        self.register_buffer("window", window, persistent=False)

    def begin(self, batch: int) -> OverlapState:
        zeros = self.window.new_zeros(batch, self.n_fft - self.hop)
        return OverlapState(zeros, zeros)

    def step(self, x: Tensor, state: OverlapState) -> tuple[Tensor, OverlapState]:
        if not x.shape[1]:
            return self.window.new_zeros(len(x), 0), state
        frames = torch.fft.irfft(x, self.n_fft) * self.window  # (batch, t, n_fft)
        samples = self._overlapped(frames, state.samples)
        weights = self._overlapped(self.window.square().expand_as(frames), state.weights)
        ready = x.shape[1] * self.hop
        state = OverlapState(samples[:, ready:], weights[:, ready:])
        return samples[:, :ready] / weights[:, :ready].clamp(min=_LEAST_WEIGHT), state

    def _overlapped(self, frames: Tensor, before: Tensor) -> Tensor:
        """Sum of frames `(batch, t, n_fft)`, each a hop later: `(batch, (t - 1) * hop + n_fft)`, begun by `before`."""
        parts = frames.unflatten(2, (-1, self.hop)).unbind(2)  # n_fft / hop of (batch, t, hop)
        last, total = len(parts) - 1, F.pad(before, (0, frames.shape[1] * self.hop))
        for place, part in enumerate(parts):
            total = total + F.pad(part, (0, 0, place, last - place)).flatten(1)
        return total


class IstftHead(CausalLayer):
    """Log-magnitudes and phases of each frame, then their inverse STFT: `(batch, time, dim)` to `(batch, time * hop)`.

    The centre of a frame's window comes `delay` samples after the centre of its hop: a model whose frames are to
    describe their own hop is trained to say it that late.

    Args:
        dim: channels of a frame.
        n_fft: length of the Hann window in samples.
        hop: samples per frame, a divisor of `n_fft`.

    Raises:
        ValueError: if hop does not divide n_fft.
    """

    def __init__(self, dim: int, n_fft: int, hop: int) -> None:
        super().__init__()
        self.inverse = InverseStft(n_fft, hop)
        self.linear = nn.Linear(dim, n_fft + 2)

    @property
    def delay(self) -> int:
        """Samples from the centre of a hop to that of its window."""
        return (self.inverse.n_fft - self.inverse.hop) // 2

    def begin(self, batch: int) -> OverlapState:
        return self.inverse.begin(batch)

    def step(self, x: Tensor, state: OverlapState) -> tuple[Tensor, OverlapState]:
        with torch.autocast(x.device.type, enabled=False):
            return self.inverse.step(self.spectra(x), state)

    def spectra(self, x: Tensor) -> Tensor:
        """Complex spectra `(batch, t, n_fft / 2 + 1)` of frames."""
        log_magnitude, phase = self.linear(x).float().chunk(2, dim=-1)
        return torch.polar(log_magnitude.clamp(max=_LARGEST_LOG).exp(), phase)
