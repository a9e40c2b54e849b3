"""Harmonic source of a neural source-filter model (Wang et al. 2019): sines where speech is voiced, noise elsewhere."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HARMONICS = 9
"""The fundamental frequency and its multiples."""
_VOICED_HZ = 10.0
_AMPLITUDE = 0.1
_VOICED_NOISE = 0.003

_DRAWN = 4800
"""Samples whose noise is drawn at once, a multiple of 16: `torch.randn` makes numbers in groups of 16."""
_LEAST_DRAWN = 16
"""What is drawn last has at least one such group."""


class HarmonicSource(nn.Module):
    """Fundamental frequencies to an excitation between -1 and 1: `(batch, frames)` to `(batch, frames * hop)`.

    Args:
        sample_rate: Hz.
        hop: samples per frame.
    """

    def __init__(self, sample_rate: int, hop: int) -> None:
        super().__init__()
        self.sample_rate, self.hop = sample_rate, hop
        self.merge = nn.Linear(HARMONICS, 1)

    def forward(self, pitch: Tensor, noise: Tensor | None) -> Tensor:
        """Args:
        pitch: Hz `(batch, frames)`; 0 or little where there is no voice, and beyond the end of a row.
        noise: standard normal numbers `(batch, frames * hop, HARMONICS)`; None: no noise.
        """
        multiples = torch.arange(1, HARMONICS + 1, device=pitch.device, dtype=pitch.dtype)
        turns = (pitch[:, None] * multiples[:, None] / self.sample_rate) % 1  # (batch, HARMONICS, frames)
        # In the published order of operations: sums of phases are so large that another order is audible.
        phases = turns.cumsum(dim=2) * 2 * math.pi * self.hop
        phases = F.interpolate(phases, scale_factor=float(self.hop), mode="linear")
        return self._merged(phases, pitch, noise)

    def turns(self, pitch: Tensor) -> Tensor:
        """Turns of each sine from the beginning of a row to the middle of each frame, float64 `(batch, HARMONICS,
        frames)`, of `pitch (batch, frames)` in Hz. In these, a frame's samples do not depend on where it stands."""
        multiples = torch.arange(1, HARMONICS + 1, device=pitch.device, dtype=torch.float64)
        return (pitch.double()[:, None] * multiples[:, None] * (self.hop / self.sample_rate)).cumsum(dim=2)

    def excitation(self, pitch: Tensor, turns: Tensor, noise: Tensor | None) -> Tensor:
        """The excitation of consecutive frames. The half frames at both ends are inexact, unless a row begins or ends
        there; all others are, to the last bit, as in any other run of frames.

        Args:
            pitch: Hz `(batch, frames)`.
            turns: of these frames, see `turns`.
            noise: as for `forward`.
        """
        steps = turns.diff(dim=2)
        before, after = F.pad(steps, (1, 0)).float()[..., None], F.pad(steps, (0, 1)).float()[..., None]
        places = (torch.arange(self.hop, device=pitch.device) + 0.5) / self.hop - 0.5  # from the middle of a frame
        whole = (turns % 1).float()[..., None] + torch.where(places < 0, before, after) * places
        return self._merged(whole.flatten(2) * (2 * math.pi), pitch, noise)

    def _merged(self, phases: Tensor, pitch: Tensor, noise: Tensor | None) -> Tensor:
        """Sines of phases `(batch, HARMONICS, samples)` where there is voice, and noise, as one excitation."""
        voiced = (pitch > _VOICED_HZ).to(pitch.dtype).repeat_interleave(self.hop, dim=1)[..., None]
        sines = phases.sin().transpose(1, 2) * _AMPLITUDE * voiced  # (batch, samples, HARMONICS)
        if noise is not None:
            sines = sines + (voiced * _VOICED_NOISE + (1 - voiced) * _AMPLITUDE / 3) * noise
        return torch.tanh(self.merge(sines))[..., 0]


class NoiseRow:
    """The noise of one row, drawn as far as it is needed: the numbers of `torch.randn` for all of it.

    Args:
        seed: of its generator, on the CPU.
        count: samples of the row.
    """

    def __init__(self, seed: int, count: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._count = count
        self._drawn = torch.zeros(0, HARMONICS)

    def __call__(self, start: int, stop: int) -> Tensor:
        """Noise of samples from `start` to `stop`: `(stop - start, HARMONICS)`."""
        have = len(self._drawn)
        if stop > have:
            wanted = min(have + math.ceil((stop - have) / _DRAWN) * _DRAWN, self._count)
            wanted = self._count if self._count - wanted < _LEAST_DRAWN else wanted
            fresh = torch.randn(wanted - have, HARMONICS, generator=self._generator)
            self._drawn = torch.cat([self._drawn, fresh])
        return self._drawn[start:stop]
