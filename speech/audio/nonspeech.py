"""Synthetic non-speech sounds, from which a decoder learns to output nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from speech.audio import SAMPLE_RATE
from speech.audio.augment import coloured_noise

_LOUD_DB = (-60.0, -6.0)


def nonspeech(count: int, rng: np.random.Generator) -> np.ndarray:
    """Generate a sound of random kind, pitch and loudness: `(count,)` float32 at 16 kHz."""
    kind = _KINDS[int(rng.integers(len(_KINDS)))]
    sound = kind(count, rng)
    peak = float(np.abs(sound).max(initial=0.0))
    loud = 10 ** (rng.uniform(*_LOUD_DB) / 20)
    return (sound * (loud / peak if peak > 0 else 0.0)).astype(np.float32)


def _silence(count: int, rng: np.random.Generator) -> np.ndarray:
    return np.zeros(count)


def _noise(count: int, rng: np.random.Generator) -> np.ndarray:
    """White to brown noise, steady or swelling."""
    noise = coloured_noise(count, rng.uniform(0.0, 2.2), rng)
    if rng.random() < 0.5:
        return noise
    swell = 0.55 + 0.45 * np.sin(2 * np.pi * rng.uniform(0.1, 1.5) * _times(count) + rng.uniform(0, 6))
    return noise * swell


def _hum(count: int, rng: np.random.Generator) -> np.ndarray:
    """Mains or motor hum: a low tone with overtones."""
    times, pitch = _times(count), float(rng.choice([50.0, 60.0, rng.uniform(30.0, 200.0)]))
    tones = sum(np.sin(2 * np.pi * pitch * n * times) / n ** rng.uniform(0.5, 2.0) for n in range(1, 9))
    return np.asarray(tones) + 0.05 * rng.standard_normal(count)


def _music(count: int, rng: np.random.Generator) -> np.ndarray:
    """Chords of a scale that change on each beat, with or without drums."""
    sound, beat = np.zeros(count), int(SAMPLE_RATE * rng.uniform(0.2, 0.8))
    scale = 110 * 2 ** (np.array([0, 2, 4, 5, 7, 9, 11, 12, 14, 16, 19, 24]) / 12)
    for start in range(0, count, beat):
        times = _times(min(beat, count - start))
        for pitch in rng.choice(scale, size=int(rng.integers(1, 4))):
            voice = sum(np.sin(2 * np.pi * pitch * n * times) / n for n in range(1, int(rng.integers(2, 7))))
            sound[start : start + len(times)] += np.asarray(voice) * np.exp(-times * rng.uniform(1, 8))
    return sound + (0.5 * _drums(count, rng) if rng.random() < 0.5 else 0.0)


def _drums(count: int, rng: np.random.Generator) -> np.ndarray:
    sound, beat = np.zeros(count), int(SAMPLE_RATE * rng.uniform(0.15, 0.6))
    for start in range(0, count, beat):
        times = _times(min(beat, count - start))
        low = np.sin(2 * np.pi * rng.uniform(50, 120) * times) * np.exp(-times * 12)
        high = rng.standard_normal(len(times)) * np.exp(-times * 40)
        sound[start : start + len(times)] += low * rng.random() + high * rng.random()
    return sound


def _beeps(count: int, rng: np.random.Generator) -> np.ndarray:
    """Beeps of a telephone, machine or game."""
    times, sound = _times(count), np.zeros(count)
    period, share = rng.uniform(0.1, 2.0), rng.uniform(0.2, 1.0)
    for pitch in rng.uniform(250, 3000, size=int(rng.integers(1, 3))):
        sound += np.sin(2 * np.pi * pitch * times)
    return sound * (times % period < share * period)


def _clicks(count: int, rng: np.random.Generator) -> np.ndarray:
    """Clicks of keys, drops or crackle."""
    sound = np.zeros(count)
    for start in rng.integers(0, max(count, 1), size=max(1, int(count / SAMPLE_RATE * rng.uniform(0.5, 12)))):
        times = _times(min(int(SAMPLE_RATE * 0.03), count - int(start)))
        sound[start : start + len(times)] += rng.standard_normal(len(times)) * np.exp(-times * rng.uniform(100, 1500))
    return sound + 0.002 * rng.standard_normal(count)


def _breath(count: int, rng: np.random.Generator) -> np.ndarray:
    """Noise that rises and falls like breathing."""
    times = _times(count)
    swell = np.clip(np.sin(2 * np.pi * rng.uniform(0.2, 0.6) * times + rng.uniform(0, 6)), 0, None) ** 2
    return coloured_noise(count, rng.uniform(0.5, 1.5), rng) * swell


def _sweep(count: int, rng: np.random.Generator) -> np.ndarray:
    """A frequency sweep like a siren, a bird or an accelerating motor."""
    times = _times(count)
    middle, depth, rate = rng.uniform(200, 2500), rng.uniform(0.05, 0.6), rng.uniform(0.2, 6.0)
    phase = 2 * np.pi * np.cumsum(middle * (1 + depth * np.sin(2 * np.pi * rate * times))) / SAMPLE_RATE
    return np.sin(phase) + 0.3 * np.sin(2 * phase)


def _times(count: int) -> np.ndarray:
    return np.arange(count) / SAMPLE_RATE


_Kind = Callable[[int, np.random.Generator], np.ndarray]
_KINDS: tuple[_Kind, ...] = (_silence, _noise, _noise, _hum, _music, _music, _drums, _beeps, _clicks, _breath, _sweep)
