"""Augmentation of training speech: pure functions of (x, generator).

They imitate rooms, microphones, telephone lines and hurried speakers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import soxr
import torch
from torch import Tensor

from speech.audio import SAMPLE_RATE
from speech.errors import ConfigError
from speech.ranges import Range, check, ranged, within

_EPS = 1e-10


@dataclass(kw_only=True, slots=True)
class AugmentConfig:
    """Probability and range of each augmentation of an utterance."""

    speed_probability: float = ranged(0.5, least=0, most=1)
    speed_range: float = ranged(0.1, least=0, most=0.9)
    """Speed factors from 1 - range to 1 + range; tempo and pitch change together."""
    gain_probability: float = ranged(0.8, least=0, most=1)
    gain_db: float = ranged(15.0, least=0, most=100)
    """Maximum gain or attenuation in dB."""
    noise_probability: float = ranged(0.4, least=0, most=1)
    noise_snr_db: list[float] | None = field(default=None, metadata=within(Range(least=-100, most=200, count=(2, 2))))
    """Lowest and highest signal-to-noise ratio; None: 5 to 30."""
    reverb_probability: float = ranged(0.25, least=0, most=1)
    reverb_rt60_s: float = ranged(0.8, least=0.1, most=20)
    """Maximum RT60 in seconds; the minimum is 0.1."""
    narrowband_probability: float = ranged(0.15, least=0, most=1)
    """Probability of limiting audio to telephone bandwidth."""

    def __post_init__(self) -> None:
        check(self, "data.augment")
        if self.noise_snr_db is not None and self.noise_snr_db[0] > self.noise_snr_db[1]:
            raise ConfigError(f"data.augment.noise_snr_db {self.noise_snr_db}, expected the lowest first")


class WaveAugment:
    """Applies the configured augmentations at random: samples `(n,)` float32 at 16 kHz to samples `(m,)`."""

    def __init__(self, config: AugmentConfig) -> None:
        self.config = config

    def __call__(self, samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        config = self.config
        if rng.random() < config.speed_probability:
            samples = speed(samples, 1.0 + rng.uniform(-config.speed_range, config.speed_range))
        if rng.random() < config.reverb_probability:
            samples = reverb(samples, room(rng, rng.uniform(0.1, config.reverb_rt60_s)))
        if rng.random() < config.noise_probability:
            low, high = config.noise_snr_db or (5.0, 30.0)
            noise = coloured_noise(len(samples), rng.uniform(0.0, 2.0), rng)
            samples = add_noise(samples, noise, rng.uniform(low, high))
        if rng.random() < config.narrowband_probability:
            samples = narrowband(samples)
        if rng.random() < config.gain_probability:
            samples = gain(samples, rng.uniform(-config.gain_db, config.gain_db))
        return samples


def speed(samples: np.ndarray, factor: float) -> np.ndarray:
    """Speed perturbation: play `factor` times as fast (Ko et al. 2015)."""
    return np.asarray(soxr.resample(samples, SAMPLE_RATE, SAMPLE_RATE / factor, quality="MQ"), dtype=np.float32)


def gain(samples: np.ndarray, db: float) -> np.ndarray:
    """Amplify by `db` decibels, limited so that the peak is at most full scale."""
    factor = 10.0 ** (db / 20.0)
    peak = float(np.abs(samples).max(initial=0.0))
    return samples * np.float32(min(factor, 1.0 / peak) if peak > _EPS else 1.0)


def add_noise(samples: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """Add `noise (n,)` at a signal-to-noise ratio of `snr_db` decibels."""
    power, noise_power = float(np.mean(samples**2)), float(np.mean(noise**2))
    factor = np.sqrt(power / max(noise_power, _EPS) / 10.0 ** (snr_db / 10.0))
    return samples + noise * np.float32(factor)


def coloured_noise(count: int, exponent: float, rng: np.random.Generator) -> np.ndarray:
    """Noise with power falling as frequency ** -exponent: 0 white, 1 pink, 2 brown. `(count,)` float32."""
    size = 1 << max(count - 1, 1).bit_length()
    spectrum = np.fft.rfft(rng.standard_normal(size, dtype=np.float32))
    spectrum[1:] *= np.arange(1, len(spectrum), dtype=np.float32) ** (-exponent / 2)
    spectrum[0] = 0.0
    return np.fft.irfft(spectrum, size)[:count].astype(np.float32)


def room(rng: np.random.Generator, rt60_s: float) -> np.ndarray:
    """Draw a synthetic room impulse response `(n,)`: direct path, then noise that falls 60 dB in `rt60_s` seconds."""
    count = max(2, int(rt60_s * SAMPLE_RATE))
    tail = rng.standard_normal(count).astype(np.float32) * np.exp(-6.9 * np.arange(count) / count).astype(np.float32)
    tail[: int(rng.uniform(0.001, 0.01) * SAMPLE_RATE)] = 0.0
    tail *= np.float32(10.0 ** (rng.uniform(-12.0, 0.0) / 20.0) / max(float(np.sqrt(np.sum(tail**2))), _EPS))
    tail[0] = 1.0
    return tail


def reverb(samples: np.ndarray, impulse: np.ndarray) -> np.ndarray:
    """Convolve `samples` with `impulse`. Length is kept, and alignment too if the direct path is at index 0."""
    size = 1 << (len(samples) + len(impulse) - 2).bit_length()
    wet = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(impulse, size), size)[: len(samples)]
    return wet.astype(np.float32)


def narrowband(samples: np.ndarray) -> np.ndarray:
    """Limit the bandwidth to that of an 8 kHz telephone line; the length is kept."""
    low = soxr.resample(samples, SAMPLE_RATE, SAMPLE_RATE // 2, quality="MQ")
    wide = np.asarray(soxr.resample(low, SAMPLE_RATE // 2, SAMPLE_RATE, quality="MQ"), dtype=np.float32)
    return np.pad(wide, (0, max(0, len(samples) - len(wide))))[: len(samples)]


def spec_augment(
    features: Tensor,
    lengths: Tensor,
    generator: torch.Generator,
    *,
    freq_masks: int = 2,
    freq_width: int = 27,
    time_masks: int = 10,
    time_ratio: float = 0.05,
) -> Tensor:
    """SpecAugment (Park et al. 2019) without time warping; masked values become the utterance's mean.

    Args:
        features: `(batch, T, bins)`, zero beyond `lengths (batch,)`.
        generator: on the CPU; draws the masks.
        freq_masks, freq_width: number of masks and their maximum width in bins.
        time_masks, time_ratio: number of masks and their maximum share of an utterance.
    """
    batch, time, bins = features.shape
    device = features.device

    def masks(count: int, widest: Tensor, size: Tensor, positions: int) -> Tensor:
        width = torch.rand(batch, count, generator=generator) * (widest[:, None] + 1)
        start = torch.rand(batch, count, generator=generator) * (size[:, None] - width).clamp(min=0)
        index = torch.arange(positions)
        start, end = start.long()[..., None], (start.long() + width.long())[..., None]
        return ((index >= start) & (index < end)).any(dim=1)

    size = lengths.cpu().float()
    hidden_time = masks(time_masks, (size * time_ratio).floor(), size, time).to(device)
    whole = torch.full((batch,), float(bins))
    hidden_bins = masks(freq_masks, torch.full((batch,), float(freq_width)), whole, bins).to(device)
    mean = features.sum(dim=(1, 2)) / (lengths.clamp(min=1) * bins)
    hidden = hidden_time[:, :, None] | hidden_bins[:, None, :]
    real = (torch.arange(time, device=device) < lengths[:, None])[..., None]
    return torch.where(hidden & real, mean[:, None, None], features)
