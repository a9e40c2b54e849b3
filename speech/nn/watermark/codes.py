"""Spreading codes: which bands a bit modulates in which phase, before training changes them.

A mark modulates the level of all bands at one slow frequency. A code is a complex number per band: how strongly and in
which phase. The first code is the reference; each bit adds or subtracts one of its own, so the phase of a bit's code
against the reference tells the bit, wherever a listener begins. Cox et al. 1997, "Secure spread spectrum watermarking".
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

_SEED = 19
_WIDTH = 3
"""Bands between independent values of a code; values between are interpolated, as another speed shifts all bands."""


def spread_codes(count: int, bands: int) -> Tensor:
    """Complex codes `(count, bands)` with a mean power of 1; nearly orthogonal where there are enough bands."""
    groups = max(-(-bands // _WIDTH) + 1, count)
    rng = np.random.default_rng(_SEED)
    drawn = rng.standard_normal((groups, count)) + 1j * rng.standard_normal((groups, count))
    coarse = np.linalg.qr(drawn)[0].T  # (count, groups), orthonormal
    places, whole = np.linspace(0, groups - 1, bands), np.arange(groups)
    fine = np.stack([np.interp(places, whole, row.real) + 1j * np.interp(places, whole, row.imag) for row in coarse])
    fine /= np.sqrt(np.mean(np.abs(fine) ** 2, axis=1, keepdims=True))
    return torch.from_numpy(fine.astype(np.complex64))


def modulated(codes: Tensor, period: int) -> Tensor:
    """Real patterns `(period, count, bands)` of `codes (count, bands)` over the frames of one period."""
    angles = 2 * math.pi * torch.arange(period, device="cpu") / period
    return (codes * torch.polar(torch.ones_like(angles), angles)[:, None, None]).real


def demodulating_taps(period: int, kernel: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine `(kernel,)` of that frequency under a Hann window of unit energy, the last tap the newest."""
    ages = torch.arange(kernel - 1, -1, -1, device="cpu")
    window = torch.hann_window(kernel + 1, periodic=True, device="cpu")[1:]
    window = window / window.norm()
    angles = 2 * math.pi * ages / period
    return angles.cos() * window, angles.sin() * window
