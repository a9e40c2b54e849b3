"""A watermark of speech: a network that marks samples with 16 bits, and one that finds the mark and reads them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from speech.errors import ConfigError
from speech.nn.watermark.detector import WatermarkDetector
from speech.nn.watermark.generator import WatermarkGenerator
from speech.ranges import check, ranged

BITS = 16
"""Bits of a mark."""
_CHANNELS = 4 * (1 + BITS)


@dataclass(kw_only=True, slots=True)
class WatermarkConfig:
    """Shape of both networks; by default 24 kHz, frames of 10 ms, .3 M and .4 M parameters."""

    sample_rate: int = ranged(24000, least=8000, most=192000)
    """Hz."""
    n_fft: int = ranged(960, least=2)
    """Window in samples, a multiple of `hop`."""
    hop: int = ranged(240, least=1)
    """Samples per frame."""
    bands: int = ranged(64, least=1)
    """Mel bands that are marked and listened to."""
    period: int = ranged(6, least=2)
    """Frames after which the pattern of the mark repeats; even."""
    kernel: int = ranged(7, least=1)
    """Frames that a block's convolution sees."""
    dim: int = ranged(96, least=1)
    layers: int = ranged(4, least=1)
    """Width and blocks of the generator."""
    limit_db: float = ranged(1.5, above=0, most=6)
    """Largest change of a band's level."""
    below_db: float = ranged(20.0, least=6, most=100)
    """Distance of the added term to the level of its band, at least."""
    detector_dim: int = ranged(128, least=_CHANNELS)
    detector_layers: int = ranged(6, least=1)
    """Width and blocks of the detector."""
    span: int = ranged(64, least=1)
    """Frames over which the detector demodulates."""
    delay_frames: int = ranged(40, least=0)
    """Frames by which what the detector says is later than what it describes."""

    def __post_init__(self) -> None:
        check(self, "model")
        if self.n_fft % self.hop:
            raise ConfigError(f"model: n_fft {self.n_fft}, hop {self.hop}", fix="Give a multiple of hop as n_fft.")
        if self.period % 2:
            raise ConfigError(f"model.period {self.period}, expected an even number")

    def build(self) -> Watermark:
        """Build both networks; the detector begins as a matched filter of the codes that the generator begins with."""
        return Watermark(self)


class Watermark(nn.Module):
    """Generator and detector of one kind of mark, which were trained together.

    Args:
        config: shape.
    """

    def __init__(self, config: WatermarkConfig) -> None:
        super().__init__()
        self.config = config
        audio = (config.sample_rate, config.n_fft, config.hop, config.bands)
        self.generator = WatermarkGenerator(
            *audio,
            bits=BITS,
            period=config.period,
            dim=config.dim,
            layers=config.layers,
            kernel=config.kernel,
            limit_db=config.limit_db,
            below_db=config.below_db,
        )
        self.detector = WatermarkDetector(
            *audio,
            bits=BITS,
            period=config.period,
            dim=config.detector_dim,
            layers=config.detector_layers,
            kernel=config.kernel,
            span=config.span,
            delay_frames=config.delay_frames,
        )

    @property
    def device(self) -> torch.device:
        """Device of the parameters."""
        return self.generator.message.device

    @property
    def sample_rate(self) -> int:
        """Sample rate in Hz of what is marked and listened to."""
        return self.config.sample_rate

    @property
    def frame_s(self) -> float:
        """Seconds per frame."""
        return self.config.hop / self.config.sample_rate
