"""Synthetic non-speech sounds from a seed, different from the training sounds in `speech/audio/nonspeech.py`.

Each maker returns `(count,)` samples at 16 kHz of any level; `clips` sets the level.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle

import numpy as np

from speech.audio import SAMPLE_RATE

SHORTEST_S, LONGEST_S = 2.0, 60.0
LEVEL_DB = (-50.0, -14.0)
"""Range of the RMS level of a clip, dB below full scale."""
_DIGITS = tuple((low, high) for low in (697.0, 770.0, 852.0, 941.0) for high in (1209.0, 1336.0, 1477.0, 1633.0))
_PENTATONIC = 220.0 * 2 ** (np.array([0, 2, 4, 7, 9, 12, 14, 16, 19, 21]) / 12)

Maker = Callable[[int, np.random.Generator], np.ndarray]


def clips(minutes: float, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield kind and samples `(n,)` float32 of clips of 2 to 60 s, each kind in turn, up to a total of `minutes`."""
    rng, left = np.random.default_rng(seed), round(minutes * 60 * SAMPLE_RATE)
    least = round(SHORTEST_S * SAMPLE_RATE)
    for kind, make in cycle(KINDS.items()):
        if left < least:
            return
        count = round(SAMPLE_RATE * float(np.exp(rng.uniform(np.log(SHORTEST_S), np.log(LONGEST_S)))))
        count = left if left - count < least else count
        count = min(count, round(LONGEST_S * SAMPLE_RATE))
        yield kind, levelled(make(count, rng), float(rng.uniform(*LEVEL_DB)))
        left -= count


def levelled(sound: np.ndarray, level_db: float) -> np.ndarray:
    """Scale to an RMS level (dB below full scale), as float32; peaks are clipped at full scale."""
    power = float(np.sqrt(np.mean(np.square(sound))))
    gain = 10 ** (level_db / 20) / power if power > 0 else 0.0
    return np.clip(sound * gain, -1, 1).astype(np.float32)


def silence(count: int, rng: np.random.Generator) -> np.ndarray:
    """Digital silence."""
    return np.zeros(count)


def white(count: int, rng: np.random.Generator) -> np.ndarray:
    """Uniform white noise."""
    return rng.uniform(-1, 1, count)


def pink(count: int, rng: np.random.Generator) -> np.ndarray:
    """Pink noise: a sum of numbers that change every 1, 2, 4, .. samples (Voss and McCartney)."""
    sound = np.zeros(count)
    for octave in range(14):
        held = rng.standard_normal(-(-count // 2**octave))
        sound += np.repeat(held, 2**octave)[:count]
    return sound - sound.mean()


def brown(count: int, rng: np.random.Generator) -> np.ndarray:
    """Brown noise: a random walk without its moving average."""
    walk = rng.standard_normal(count).cumsum()
    window = min(count, SAMPLE_RATE // 4)
    sums = np.concatenate([[0.0], walk.cumsum()])
    places = np.arange(count)
    first, last = np.maximum(places - window // 2, 0), np.minimum(places + window // 2 + 1, count)
    return walk - (sums[last] - sums[first]) / (last - first)


def hum(count: int, rng: np.random.Generator) -> np.ndarray:
    """Mains hum: a sine clipped on one side, with beats."""
    times, pitch = _times(count), float(rng.choice([50.0, 60.0, 100.0, 120.0]))
    wave = np.sin(2 * np.pi * pitch * times + 0.4 * np.sin(2 * np.pi * 0.7 * times))
    cut = np.minimum(wave, rng.uniform(0.2, 0.9)) + 0.15 * np.sign(np.sin(2 * np.pi * 2 * pitch * times))
    return (cut - cut.mean()) * (1 + 0.2 * np.sin(2 * np.pi * rng.uniform(0.3, 3) * times))


def music(count: int, rng: np.random.Generator) -> np.ndarray:
    """A melody on plucked strings (Karplus and Strong) above a slow pad."""
    sound, beat = np.zeros(count), int(SAMPLE_RATE * rng.uniform(0.18, 0.5))
    note = int(rng.integers(len(_PENTATONIC)))
    for start in range(0, count, beat):
        note = int(np.clip(note + rng.integers(-2, 3), 0, len(_PENTATONIC) - 1))
        string = _plucked(float(_PENTATONIC[note]), min(3 * beat, count - start), rng)
        sound[start : start + len(string)] += string
    times = _times(count)
    for pitch in rng.choice(_PENTATONIC / 2, 3, replace=False):
        slow = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.05, 0.2) * times + rng.uniform(0, 6))
        sound += 0.1 * slow * np.sin(2 * np.pi * pitch * times + np.sin(2 * np.pi * 2 * pitch * times))
    return sound


def beeps(count: int, rng: np.random.Generator) -> np.ndarray:
    """Dialling: pairs of tones with random pauses."""
    sound, place = np.zeros(count), 0
    while place < count:
        times = _times(min(int(SAMPLE_RATE * rng.uniform(0.06, 0.4)), count - place))
        for pitch in _DIGITS[int(rng.integers(len(_DIGITS)))]:
            sound[place : place + len(times)] += np.sin(2 * np.pi * pitch * times)
        place += len(times) + int(SAMPLE_RATE * rng.uniform(0.04, 1.0))
    return sound


def tones(count: int, rng: np.random.Generator) -> np.ndarray:
    """Steady, slightly detuned tones with slow glides."""
    times = _times(count)
    low = rng.uniform(120, 1800)
    slide = low * (1 + rng.uniform(-0.3, 0.3) * times / max(times[-1], 1e-3))
    phase = 2 * np.pi * slide.cumsum() / SAMPLE_RATE
    return np.sin(phase) + 0.6 * np.sin(1.012 * phase) + 0.1 * np.sin(3 * phase)


def clicks(count: int, rng: np.random.Generator) -> np.ndarray:
    """Typing: short ringing clicks at random moments, in bursts."""
    sound, place = 1e-4 * rng.standard_normal(count), 0
    while place < count:
        times = _times(min(int(SAMPLE_RATE * 0.05), count - place))
        ring = np.sin(2 * np.pi * rng.uniform(900, 5000) * times) + 0.7 * np.sin(2 * np.pi * 260 * times)
        sound[place : place + len(times)] += rng.uniform(0.2, 1) * ring * np.exp(-times * rng.uniform(120, 500))
        pause = rng.exponential(0.12) if rng.random() < 0.85 else rng.exponential(1.5)
        place += max(int(SAMPLE_RATE * pause), 1)
    return sound


def breath(count: int, rng: np.random.Generator) -> np.ndarray:
    """Breathing: band-limited noise, with different bands for inhaling and exhaling, and pauses."""
    sound, place, inwards = np.zeros(count), 0, True
    while place < count:
        length = min(int(SAMPLE_RATE * rng.uniform(0.6, 2.0)), count - place)
        middle = rng.uniform(1200, 2400) if inwards else rng.uniform(400, 1000)
        swell = np.hanning(length + 2)[1:-1] ** (0.7 if inwards else 1.5)
        sound[place : place + length] = _band(length, middle, rng) * swell
        place += length + int(SAMPLE_RATE * (0.05 if inwards else rng.uniform(0.3, 1.5)))
        inwards = not inwards
    return sound


def drums(count: int, rng: np.random.Generator) -> np.ndarray:
    """A repeated drum pattern of sixteen steps: kick, snare, hi-hat."""
    sound, step = np.zeros(count), int(SAMPLE_RATE * rng.uniform(0.09, 0.17))
    bar = rng.random((3, 16)) < np.array([[0.3], [0.2], [0.6]])
    bar[0, 0] = bar[1, 4] = bar[1, 12] = True
    for number, start in enumerate(range(0, count, step)):
        times = _times(min(4 * step, count - start))
        noise = rng.standard_normal(len(times))
        hits = (
            np.sin(2 * np.pi * (45 * times + 6 * (1 - np.exp(-times * 30)))) * np.exp(-times * 9),
            (noise + np.sin(2 * np.pi * 190 * times)) * 0.5 * np.exp(-times * 18),
            np.diff(noise, prepend=0.0) * 0.2 * np.exp(-times * 60),
        )
        for hit, plays in zip(hits, bar[:, number % 16], strict=True):
            sound[start : start + len(times)] += hit * plays
    return sound


def _plucked(pitch: float, count: int, rng: np.random.Generator) -> np.ndarray:
    """A plucked string (Karplus and Strong): noise in a loop that loses its high frequencies."""
    period = max(int(SAMPLE_RATE / pitch), 2)
    loop = rng.uniform(-1, 1, period)
    rounds = []
    for _ in range(-(-count // period)):
        rounds.append(loop)
        loop = 0.498 * (loop + np.roll(loop, 1))
    return np.concatenate(rounds)[:count]


def _band(count: int, middle: float, rng: np.random.Generator) -> np.ndarray:
    """Noise around a centre frequency."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    octaves = np.log2(np.maximum(np.fft.rfftfreq(count, 1 / SAMPLE_RATE), 20.0) / middle)
    return np.fft.irfft(spectrum * np.exp(-2 * np.square(octaves)), count)


def _times(count: int) -> np.ndarray:
    return np.arange(count) / SAMPLE_RATE


KINDS: dict[str, Maker] = {
    "digital silence": silence, "white noise": white, "pink noise": pink, "brown noise": brown, "hum": hum,
    "music": music, "beeps": beeps, "tones": tones, "clicks": clicks, "breath": breath, "drums": drums,
}  # fmt: skip
