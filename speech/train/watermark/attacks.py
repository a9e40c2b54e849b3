"""What may happen to marked speech, on samples `(n,)`: gradients pass, straight through where there are none.

Attacks on audio watermarks as in San Roman et al. 2024, "Proactive Detection of Voice Cloning with Localized
Watermarking", appendix C. An attack that moves speech in time also says where each frame comes from.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from speech.train.watermark.config import AttackConfig
from speech.train.watermark.lossy import LossyFormat, through_codec

_EPS = 1e-8
_BIT_RATES = {LossyFormat.mp3: (32, 48, 64, 128), LossyFormat.opus: (16, 24, 32)}
"""kbit/s."""
_RATES = (8000, 16000)
_LEAST_PART = 0.4
"""Share of a row that a cut keeps at least."""


class Attacked(NamedTuple):
    """A row after an attack."""

    samples: Tensor
    """`(m,)`"""
    frames: Tensor
    """`(t,)` int64: the frame of the row before the attack that each frame of the result comes from."""


class Draw:
    """Random numbers of an attack.

    Args:
        generator: on the CPU.
    """

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def uniform(self, low: float, high: float) -> float:
        """A number between `low` and `high`."""
        return low + (high - low) * float(torch.rand((), generator=self.generator))

    def one_of[T](self, items: tuple[T, ...]) -> T:
        """One of `items`."""
        return items[int(torch.randint(len(items), (), generator=self.generator))]

    def normal(self, count: int) -> Tensor:
        """White noise `(count,)`."""
        return torch.randn(count, generator=self.generator)


class Attacks:
    """Draws and applies attacks.

    Args:
        config: which, and how often.
        rate: sample rate in Hz.
        hop: samples per frame.
    """

    def __init__(self, config: AttackConfig, rate: int, hop: int) -> None:
        self._config, self._rate, self._hop = config, rate, hop
        kinds: dict[str, Callable[[Tensor, Tensor, Draw], Tensor]] = {
            "resample": self._resample,
            "band_pass": self._band_pass,
            "noise": self._noise,
            "echo": self._echo,
            "clip": self._clip,
            "gain": self._gain,
            "quantize": self._quantize,
            "mix": self._mix,
            "lossy": self._lossy,
        }
        self._kinds = kinds
        names = ("speed", "cut", *kinds)
        self._weights = torch.tensor([getattr(config, name) for name in names])
        self._names = names

    def __call__(self, samples: Tensor, other: Tensor, draw: Draw) -> Attacked:
        """A row `(n,)` after one attack or none; `other (n,)` is speech that may be mixed with it."""
        if draw.uniform(0, 1) >= self._config.share or not self._weights.any():
            return self.apply(None, samples, other, draw)
        place = int(torch.multinomial(self._weights, 1, generator=draw.generator))
        return self.apply(self._names[place], samples, other, draw)

    def apply(self, name: str | None, samples: Tensor, other: Tensor, draw: Draw) -> Attacked:
        """A row after the attack of that name in the configuration, or None."""
        frames = torch.arange(-(-len(samples) // self._hop))
        if name == "speed":
            factor = draw.uniform(1 - self._config.speed_range, 1 + self._config.speed_range)
            return self._sped(samples, factor)
        if name == "cut":
            return self._cut(samples, draw)
        return Attacked(samples if name is None else self._kinds[name](samples, other, draw), frames)

    def _sped(self, samples: Tensor, factor: float) -> Attacked:
        faster = resampled(samples, round(len(samples) / factor))
        count = -(-len(faster) // self._hop)
        places = (torch.arange(count) * factor).long().clamp(max=-(-len(samples) // self._hop) - 1)
        return Attacked(faster, places)

    def _cut(self, samples: Tensor, draw: Draw) -> Attacked:
        """The end of a row, and behind it a part of its beginning."""
        frames = len(samples) // self._hop
        least = max(int(_LEAST_PART * frames), 1)
        start = int(draw.uniform(0, max(frames - least, 0)))
        until = int(draw.uniform(0, start))
        places = torch.cat([torch.arange(start, frames), torch.arange(until)])
        return Attacked(samples[: frames * self._hop].view(frames, self._hop)[places].flatten(), places)

    def _resample(self, samples: Tensor, other: Tensor, draw: Draw) -> Tensor:
        low = round(len(samples) * draw.one_of(_RATES) / self._rate)
        return resampled(resampled(samples, low), len(samples))

    def _band_pass(self, samples: Tensor, other: Tensor, draw: Draw) -> Tensor:
        low, high = draw.uniform(0, 400), draw.uniform(3000, 8000)
        spectrum = torch.fft.rfft(samples)
        hertz = torch.fft.rfftfreq(len(samples), 1 / self._rate)
        kept = torch.sigmoid((hertz - low) / 20) * torch.sigmoid((high - hertz) / 100)
        return torch.fft.irfft(spectrum * kept, len(samples))

    def _noise(self, samples: Tensor, other: Tensor, draw: Draw) -> Tensor:
        noise = coloured(draw.normal(len(samples)), draw.one_of((0.0, 1.0)))
        return mixed(samples, noise, draw.uniform(*self._config.snr_db))

    def _mix(self, samples: Tensor, other: Tensor, draw: Draw) -> Tensor:
        return mixed(samples, other, draw.uniform(*self._config.mix_db))

    def _echo(self, samples: Tensor, other: Tensor, draw: Draw) -> Tensor:
        """One echo, or a room whose noise-like tail falls 60 dB in up to .6 s."""
        if draw.one_of((True, False)):
            impulse = torch.zeros(int(draw.uniform(0.05, 0.3) * self._rate) + 1)
            impulse[-1] = draw.uniform(0.1, 0.4)
        else:
            impulse = draw.normal(int(draw.uniform(0.1, 0.6) * self._rate))
            impulse = impulse * torch.exp(-6.9 * torch.arange(len(impulse)) / len(impulse))
            impulse *= draw.uniform(0.1, 0.5) / impulse.norm()
        impulse[0] = 1.0
        size = len(samples) + len(impulse)
        wet = torch.fft.irfft(torch.fft.rfft(samples, size) * torch.fft.rfft(impulse, size), size)
        return wet[: len(samples)]

    def _clip(self, samples: Tensor, other: Tensor, draw: Draw) -> Tensor:
        most = float(samples.detach().abs().max()) * draw.uniform(0.3, 0.8)
        return samples.clamp(-most, most)

    def _gain(self, samples: Tensor, other: Tensor, draw: Draw) -> Tensor:
        return samples * 10 ** (draw.uniform(-12, 6) / 20)

    def _quantize(self, samples: Tensor, other: Tensor, draw: Draw) -> Tensor:
        """Eight bits, linear or by mu-law (ITU-T G.711)."""
        return straight_through(samples, eight_bits(samples) if draw.one_of((True, False)) else mu_law(samples))

    def _lossy(self, samples: Tensor, other: Tensor, draw: Draw) -> Tensor:
        kind = draw.one_of(tuple(LossyFormat))
        sent = samples.detach().cpu().numpy().astype(np.float32)
        heard = through_codec(sent, self._rate, kind, 1000 * draw.one_of(_BIT_RATES[kind]))
        return straight_through(samples, torch.from_numpy(heard))


def straight_through(samples: Tensor, changed: Tensor) -> Tensor:
    """`changed`, with the gradient of `samples`."""
    return samples + (changed - samples).detach()


def resampled(samples: Tensor, count: int) -> Tensor:
    """`samples (n,)` as `count` samples of the same duration, by their spectrum."""
    spectrum = torch.fft.rfft(samples)
    bins = count // 2 + 1
    if bins <= len(spectrum):
        spectrum = spectrum[:bins]
    else:
        spectrum = torch.nn.functional.pad(spectrum, (0, bins - len(spectrum)))
    return torch.fft.irfft(spectrum, count) * (count / len(samples))


def coloured(noise: Tensor, exponent: float) -> Tensor:
    """White `noise (n,)` with power falling as frequency ** -exponent."""
    spectrum = torch.fft.rfft(noise)
    spectrum[1:] *= torch.arange(1, len(spectrum)) ** (-exponent / 2)
    return torch.fft.irfft(spectrum, len(noise))


def mixed(samples: Tensor, other: Tensor, ratio_db: float) -> Tensor:
    """`samples (n,)` and `other (n,)`, which is `ratio_db` quieter."""
    power, added = samples.detach().square().mean(), other.square().mean()
    return samples + other * (power / (added + _EPS)).sqrt() * 10 ** (-ratio_db / 20)


def eight_bits(samples: Tensor) -> Tensor:
    """Samples rounded to 8 bits."""
    return (samples * 127).round().clamp(-127, 127) / 127


def mu_law(samples: Tensor, mu: float = 255.0) -> Tensor:
    """Samples rounded to 8 bits by mu-law."""
    compressed = samples.clamp(-1, 1).sign() * torch.log1p(mu * samples.abs().clamp(max=1)) / math.log1p(mu)
    rounded = eight_bits(compressed)
    return rounded.sign() * torch.expm1(rounded.abs() * math.log1p(mu)) / mu
