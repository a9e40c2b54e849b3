"""Fundamental frequency by YIN (de Cheveigné and Kawahara 2002), without its last step, the best local estimate."""

from __future__ import annotations

import numpy as np

LOWEST_HZ, HIGHEST_HZ = 60.0, 420.0
"""Range that is looked at: of speech."""
HOP_S = 0.01
"""Seconds between frames."""
_WINDOW_S = 0.032
_APERIODICITY = 0.15
"""Share of power that is not periodic above which a frame counts as unvoiced."""
_LEAST_POWER = 1e-3
"""Share of the mean power below which a frame counts as unvoiced."""
_BLOCK = 1000
"""Frames that are computed at once."""


def fundamental_frequency(samples: np.ndarray, rate: int) -> np.ndarray:
    """Hz of each frame of `samples (n,)`, 0 where there is no voice: `(frames,)`; no frames if there are too few."""
    window, longest, hop = round(_WINDOW_S * rate), round(rate / LOWEST_HZ) + 2, round(HOP_S * rate)
    size = window + longest
    if len(samples) < size:
        return np.zeros(0)
    frames = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64), size)[::hop]
    blocks = [_frequencies(frames[start : start + _BLOCK], window, rate) for start in range(0, len(frames), _BLOCK)]
    power = np.square(frames[:, :window]).mean(axis=1)
    return np.where(power > _LEAST_POWER * power.mean(), np.concatenate(blocks), 0.0)


def _frequencies(frames: np.ndarray, window: int, rate: int) -> np.ndarray:
    """Hz of `frames (n, window + lags)`; 0 where no lag has a period."""
    lags = frames.shape[1] - window
    spectra = np.fft.rfft(frames, 2 * frames.shape[1])
    start = np.fft.rfft(frames[:, :window], 2 * frames.shape[1])
    products = np.fft.irfft(spectra * start.conj())[:, :lags]
    powers = np.cumsum(np.pad(np.square(frames), ((0, 0), (1, 0))), axis=1)
    moved = powers[:, window : window + lags] - powers[:, :lags]
    differences = np.maximum(moved[:, :1] + moved - 2 * products, 0.0)
    sums = np.cumsum(differences[:, 1:], axis=1)
    normed = np.ones_like(differences)  # the cumulative mean normalised difference
    normed[:, 1:] = differences[:, 1:] * np.arange(1, lags) / np.maximum(sums, 1e-12)
    return np.array([_frequency(row, rate) for row in normed])


def _frequency(normed: np.ndarray, rate: int) -> float:
    """Hz of the first dip of a normalised difference `(lags,)`; 0 if there is none."""
    shortest = int(rate / HIGHEST_HZ)
    below = np.flatnonzero(normed[shortest:-1] < _APERIODICITY)
    if not len(below):
        return 0.0
    lag = shortest + int(below[0])
    while lag + 2 < len(normed) and normed[lag + 1] < normed[lag]:
        lag += 1
    before, here, after = normed[lag - 1 : lag + 2]
    curvature = before - 2 * here + after
    return rate / (lag + (0.5 * (before - after) / curvature if curvature > 0 else 0.0))
