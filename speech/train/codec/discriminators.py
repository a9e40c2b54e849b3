"""Discriminators that tell decoded speech from real speech, and the losses that come of it.

Multi-period: Kong et al. 2020, "HiFi-GAN", section 2.3. Multi-resolution, of complex spectra: Defossez et al. 2022,
"EnCodec", section 3.4. Both are small enough to be trained on a CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from speech.train.codec.config import DiscriminatorConfig

_SLOPE = 0.1
_GAIN = 10.0
"""Brings samples of speech near 1, so that discriminators learn at once."""
_COMPRESSION, _LEAST_POWER = 0.3, 1e-6
"""Exponent of spectral magnitudes, so that weak parts of speech are seen beside strong ones."""


class Verdict(NamedTuple):
    """What one discriminator says of audio."""

    logits: Tensor
    """`(batch, 1, height, width)`: above 0 for real, one per place."""
    features: list[Tensor]
    """Outputs of its hidden layers."""


class _Discriminator(nn.Module):
    """Two-dimensional convolutions with leaky ReLU, and one that judges."""

    def __init__(self, layers: Sequence[nn.Conv2d], last: nn.Conv2d) -> None:
        super().__init__()
        self.layers = nn.ModuleList(weight_norm(layer) for layer in layers)
        self.last = weight_norm(last)

    def forward(self, samples: Tensor) -> Verdict:
        with torch.autocast(samples.device.type, enabled=False):  # CPUs convolve five times slower in bfloat16
            x, features = self.picture(samples.float()), []
            for layer in self.layers:
                x = F.leaky_relu(layer(x), _SLOPE)
                features.append(x)
            return Verdict(self.last(x), features)

    def picture(self, samples: Tensor) -> Tensor:
        """`(batch, channels, height, width)` of `samples (batch, N)`."""
        raise NotImplementedError


class PeriodDiscriminator(_Discriminator):
    """Compares samples that are multiples of a period apart."""

    def __init__(self, period: int, channels: int) -> None:
        widths = [1, channels, 2 * channels, 4 * channels, 4 * channels]
        layers = [nn.Conv2d(a, b, (5, 1), (3, 1), (2, 0)) for a, b in pairwise(widths)]
        super().__init__(layers, nn.Conv2d(widths[-1], 1, (3, 1), padding=(1, 0)))
        self.period = period

    def picture(self, samples: Tensor) -> Tensor:
        padded = F.pad(_GAIN * samples, (0, -samples.shape[1] % self.period))
        return padded.unflatten(1, (-1, self.period))[:, None]  # (batch, 1, N / period, period)


class ResolutionDiscriminator(_Discriminator):
    """Sees real and imaginary parts of an STFT with compressed magnitudes: `(batch, 2, frames, bins)`."""

    window: Tensor

    def __init__(self, n_fft: int, channels: int) -> None:
        widths = [2, channels, channels, channels, channels]
        layers = [nn.Conv2d(a, b, (3, 5), (1, 2), (1, 2)) for a, b in pairwise(widths)]
        super().__init__(layers, nn.Conv2d(channels, 1, (3, 3), padding=(1, 1)))
        self.n_fft = n_fft
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    def picture(self, samples: Tensor) -> Tensor:
        hop = self.n_fft // 4
        spectrum = torch.stft(
            samples, self.n_fft, hop, window=self.window, pad_mode="constant", normalized=True, return_complex=True
        )
        parts = torch.view_as_real(spectrum)  # (batch, bins, frames, 2)
        power = parts.square().sum(dim=-1, keepdim=True) + _LEAST_POWER
        return (parts * power ** ((_COMPRESSION - 1) / 2)).permute(0, 3, 2, 1).contiguous()


class Discriminators(nn.Module):
    """All discriminators of a run."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        periods = [PeriodDiscriminator(period, config.period_channels) for period in config.periods]
        resolutions = [ResolutionDiscriminator(n_fft, config.channels) for n_fft in config.n_ffts]
        self.each = nn.ModuleList([*periods, *resolutions])

    def forward(self, samples: Tensor) -> list[Verdict]:
        """The verdicts on `samples (batch, N)`."""
        return [one(samples) for one in self.each]


def discriminator_loss(real: Sequence[Verdict], made: Sequence[Verdict]) -> Tensor:
    """Hinge loss of the discriminators, the mean over them; 2 if they know nothing."""
    each = [F.relu(1 - a.logits).mean() + F.relu(1 + b.logits).mean() for a, b in zip(real, made, strict=True)]
    return torch.stack(each).mean()


def adversarial_loss(made: Sequence[Verdict]) -> Tensor:
    """Hinge loss of the decoder, the mean over discriminators; 1 if they know nothing."""
    return torch.stack([F.relu(1 - verdict.logits).mean() for verdict in made]).mean()


def feature_loss(real: Sequence[Verdict], made: Sequence[Verdict]) -> Tensor:
    """Distance of hidden layers relative to their size, the mean over layers; no gradient for the real ones."""
    each = []
    for a, b in zip(real, made, strict=True):
        for wanted, found in zip(a.features, b.features, strict=True):
            target = wanted.detach()
            each.append((found - target).abs().mean() / target.abs().mean().clamp(min=1e-6))
    return torch.stack(each).mean()
