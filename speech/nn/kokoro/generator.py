"""Generator of ISTFTNet's type with a harmonic source (Kaneko et al. 2022; Li et al. 2023, "StyleTTS 2")."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speech.errors import ConfigError
from speech.nn.kokoro.harmonic_source import HarmonicSource
from speech.nn.kokoro.masks import frame_mask, masked
from speech.nn.kokoro.residual import SnakeResidual
from speech.nn.kokoro.spectrum import CentredStft
from speech.ranges import Range, check, ranged, within

SLOPE, LAST_SLOPE = 0.1, 0.01
"""Of LeakyReLU before upsampling, and before the last convolution."""
_SOURCE_KERNEL, LAST_SOURCE_KERNEL = 7, 11
_COUNTED = within(Range(least=1, count=(1, None)))


@dataclass(kw_only=True, slots=True)
class GeneratorConfig:
    """Shape of the generator."""

    channels: int = ranged(512, least=2)
    """Of its input; each upsampling halves them."""
    rates: list[int] = field(default_factory=lambda: [10, 6], metadata=_COUNTED)
    """Factors of upsampling."""
    kernels: list[int] = field(default_factory=lambda: [20, 12], metadata=_COUNTED)
    """Taps of upsampling; even where the factor is."""
    block_kernels: list[int] = field(default_factory=lambda: [3, 7, 11], metadata=_COUNTED)
    """Taps of the residual blocks that are averaged."""
    dilations: list[int] = field(default_factory=lambda: [1, 3, 5], metadata=_COUNTED)
    n_fft: int = ranged(20, least=2)
    hop: int = ranged(5, least=1)

    def __post_init__(self) -> None:
        check(self, "model.generator")
        fits = len(self.rates) == len(self.kernels) and all(
            kernel >= rate and (kernel - rate) % 2 == 0 for kernel, rate in zip(self.kernels, self.rates, strict=False)
        )
        if not fits:
            raise ConfigError(
                f"model.generator.rates {self.rates}, model.generator.kernels {self.kernels}",
                fix="Give as many kernels as rates, each larger by an even number.",
            )
        if self.n_fft % 2 or self.n_fft < self.hop * 2 or any(kernel % 2 == 0 for kernel in self.block_kernels):
            raise ConfigError(
                f"model.generator: n_fft {self.n_fft}, hop {self.hop}, block_kernels {self.block_kernels}",
                fix="Give an even n_fft of two hops or more, and odd kernels of blocks.",
            )
        if self.channels % 2 ** len(self.rates):
            raise ConfigError(
                f"model.generator.channels {self.channels}", fix=f"They are halved {len(self.rates)} times."
            )

    @property
    def frame_samples(self) -> int:
        """Samples per input frame."""
        return math.prod(self.rates) * self.hop


class GeneratorStage(nn.Module):
    """LeakyReLU, upsampling, the excitation added, and the mean of residual blocks.

    Args:
        number: place among the stages; only the last adds a frame, and reads the excitation frame by frame.
        config: shape.
        style_dim: channels of the style.
    """

    def __init__(self, number: int, config: GeneratorConfig, style_dim: int) -> None:
        super().__init__()
        rate, kernel, inner = config.rates[number], config.kernels[number], config.channels >> (number + 1)
        self.rate, self.last = rate, number + 1 == len(config.rates)
        self.up = nn.ConvTranspose1d(inner * 2, inner, kernel, stride=rate, padding=(kernel - rate) // 2)
        bins, stride = config.n_fft + 2, math.prod(config.rates[number + 1 :])
        self.source = (
            nn.Conv1d(bins, inner, 1)
            if self.last
            else nn.Conv1d(bins, inner, stride * 2, stride=stride, padding=(stride + 1) // 2)
        )
        source_kernel = LAST_SOURCE_KERNEL if self.last else _SOURCE_KERNEL
        self.source_block = SnakeResidual(inner, source_kernel, config.dilations, style_dim)
        self.blocks = nn.ModuleList(
            SnakeResidual(inner, size, config.dilations, style_dim) for size in config.block_kernels
        )

    def forward(self, x: Tensor, source: Tensor, style: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Frames `(batch, channels / 2, time * rate)`, one more in the last stage, and their number in each row.

        Args:
            x: `(batch, channels, time)`, 0 beyond the end of a row.
            source: spectra of the excitation `(batch, n_fft + 2, frames)`.
            style: `(batch, style_dim)`.
            lengths: frames of each row of `x (batch,)`.
        """
        x, lengths = self.up(F.leaky_relu(x, SLOPE)), lengths * self.rate
        if self.last:
            x, lengths = F.pad(x, (1, 0), mode="reflect"), lengths + 1
        mask = frame_mask(lengths, x.shape[2])
        x = masked(x, mask) + self.source_block(self.source(source), style, mask)
        total = torch.zeros_like(x)
        for block in self.blocks:
            total = total + block(x, style, mask)
        return total / len(self.blocks), lengths


class IstftGenerator(nn.Module):
    """Frames to samples: `(batch, channels, time)` to `(batch, time * frame_samples)`.

    Args:
        config: shape.
        style_dim: channels of the style.
        sample_rate: Hz.
    """

    def __init__(self, config: GeneratorConfig, style_dim: int, sample_rate: int) -> None:
        super().__init__()
        self.frame_samples = config.frame_samples
        self.source = HarmonicSource(sample_rate, self.frame_samples)
        self.stft = CentredStft(config.n_fft, config.hop)
        self.stages = nn.ModuleList(GeneratorStage(n, config, style_dim) for n in range(len(config.rates)))
        self.out = nn.Conv1d(config.channels >> len(config.rates), config.n_fft + 2, 7, padding=3)

    def forward(self, x: Tensor, style: Tensor, pitch: Tensor, lengths: Tensor, noise: Tensor | None) -> Tensor:
        """Samples, 0 beyond the end of a row.

        Args:
            x: `(batch, channels, time)`, 0 beyond the end of a row.
            style: `(batch, style_dim)`.
            pitch: fundamental frequency in Hz `(batch, time)`.
            lengths: frames of each row `(batch,)`.
            noise: see `HarmonicSource`.
        """
        with torch.autocast(x.device.type, enabled=False):
            source = self.stft(self.source(pitch.float(), noise), lengths * self.frame_samples)
        for stage in self.stages:
            x, lengths = stage(x, source, style, lengths)
        with torch.autocast(x.device.type, enabled=False):
            magnitudes, phases = self.out(F.leaky_relu(x, LAST_SLOPE).float()).chunk(2, dim=1)
            return self.stft.inverse(magnitudes.exp(), phases.sin(), lengths)
