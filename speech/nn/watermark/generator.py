"""The generator of a watermark: it changes levels of bands a little, causally and with state.

The idea is AudioSeal's (San Roman et al. 2024, "Proactive Detection of Voice Cloning with Localized Watermarking"): a
network decides what a listener does not hear. Here it acts on a short-time spectrum instead of samples, so that it is
small, needs no look-ahead, and cannot change a band by more than a limit.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from speech.audio.causal_log_mel import CausalLogMel
from speech.nn.codec.causal import CausalSequence, Framewise
from speech.nn.codec.convnext import convnext_stack
from speech.nn.codec.istft import InverseStft, OverlapState
from speech.nn.watermark.codes import modulated, spread_codes

_CENTRE, _SPREAD = -5.0, 3.0
"""About the mean and the standard deviation of log-mel magnitudes of speech."""
_REFERENCE_DB, _BIT_DB = 0.65, 0.3
"""Amplitudes with which the reference and each bit begin."""
_CARRIER_FRAMES = 64
"""Frames after which the phases of the added term repeat."""
_GOLDEN = (math.sqrt(5) - 1) / 2
_NEPERS_PER_DB = math.log(10) / 20
_SMALL = 0.02


class GeneratorState(NamedTuple):
    """State of streams that are marked."""

    bits: Tensor
    """`(batch, bits)` 0 or 1: the messages."""
    clock: Tensor
    """`(batch,)` int64: frames so far, modulo the common period."""
    stft: Tensor
    """Samples that the next frame needs."""
    layers: tuple[Any, ...]
    overlap: OverlapState


class WatermarkGenerator(nn.Module):
    """Marks samples with bits.

    In each frame, levels of `bands` mel bands get the gain `limit_db * tanh(strength * pattern / limit_db + more)`.
    The pattern is the sum of a reference and of the bits' patterns with the sign of each bit; it repeats after
    `period` frames. Strength and `more`, and the amplitude of a noise-like term at least `below_db` below each band's
    level, come from causal ConvNeXt blocks that hear the bands and know the bits.

    Args:
        rate: sample rate in Hz.
        n_fft: window in samples.
        hop: samples per frame, a divisor of `n_fft`.
        bands: mel bands.
        bits: bits of a message.
        period: frames of the pattern.
        dim: channels of the blocks.
        layers: number of blocks.
        kernel: frames that a block sees.
        limit_db: largest change of a level.
        below_db: how far the added term stays below the level of its band at least.

    Raises:
        ValueError: if hop does not divide n_fft.
    """

    spread: Tensor
    mean: Tensor
    carrier: Tensor

    def __init__(
        self,
        rate: int,
        n_fft: int,
        hop: int,
        bands: int,
        *,
        bits: int,
        period: int,
        dim: int,
        layers: int,
        kernel: int,
        limit_db: float,
        below_db: float,
    ) -> None:
        super().__init__()
        self.limit_db, self.added = limit_db, 10 ** (-below_db / 20)
        self.period, self.cycle = period, math.lcm(period, _CARRIER_FRAMES)
        self.log_mel, self.inverse = CausalLogMel(rate, n_fft, hop, bands), InverseStft(n_fft, hop)
        with torch.device("cpu"):  # constants stay real even if the model is built without memory
            filters = self.log_mel.filters  # (bins, bands)
            self.register_buffer("spread", (filters / filters.sum(1, True).clamp(min=1e-9)).T.contiguous(), False)
            self.register_buffer("mean", 1 / filters.sum(0).clamp(min=1e-9), False)
            self.register_buffer("carrier", _carrier(len(filters)), False)
            patterns = modulated(spread_codes(1 + bits, bands), period)
            patterns = patterns * torch.tensor([_REFERENCE_DB] + bits * [_BIT_DB])[:, None]
        self.patterns = nn.Parameter(patterns)  # (period, 1 + bits, bands) in dB
        self.heard = nn.Linear(bands, dim)
        self.message, self.place = nn.Parameter(torch.empty(bits, dim)), nn.Parameter(torch.empty(period, dim))
        for parameter in (self.message, self.place):
            nn.init.normal_(parameter, std=_SMALL)
        self.blocks = CausalSequence([*convnext_stack(dim, layers, kernel), Framewise(nn.LayerNorm(dim))])
        self.decided = nn.Linear(dim, 3 * bands)
        nn.init.zeros_(self.decided.weight)
        nn.init.zeros_(self.decided.bias)

    @property
    def delay(self) -> int:
        """Samples at the beginning of what `step` returns of a stream that precede the audio."""
        return self.inverse.n_fft - self.inverse.hop

    def forward(self, samples: Tensor, bits: Tensor) -> Tensor:
        """Marked samples `(batch, N)` of `samples (batch, N)` with `bits (batch, bits)`, 0 or 1."""
        count, hop = samples.shape[1], self.inverse.hop
        whole = -(-(count + self.delay) // hop) * hop
        marked, _ = self.step(nn.functional.pad(samples, (0, whole - count)), self.begin(bits))
        return marked[:, self.delay : self.delay + count]

    def begin(self, bits: Tensor) -> GeneratorState:
        """State of streams before their first sample, with `bits (batch, bits)` to be marked."""
        batch = len(bits)
        clock = torch.zeros(batch, dtype=torch.int64, device=self.message.device)
        stft, overlap = self.log_mel.begin(batch), self.inverse.begin(batch)
        return GeneratorState(bits.to(self.message), clock, stft, self.blocks.begin(batch), overlap)

    def step(self, samples: Tensor, state: GeneratorState) -> tuple[Tensor, GeneratorState]:
        """Marked samples `(batch, t * hop)`, `delay` late, of `samples (batch, n)` for any `n`, and the next state."""
        spectra, stft = self.log_mel.stft.step(samples, state.stft)
        spectra, state = self.marked(spectra, state)
        samples, overlap = self.inverse.step(spectra, state.overlap)
        return samples, state._replace(stft=stft, overlap=overlap)

    def marked(self, spectra: Tensor, state: GeneratorState) -> tuple[Tensor, GeneratorState]:
        """Marked spectra of `spectra (batch, t, n_fft / 2 + 1)`, and the state with their frames counted."""
        clock = (state.clock[:, None] + torch.arange(spectra.shape[1], device=spectra.device)) % self.cycle
        signs = 2 * state.bits - 1
        levels = self.log_mel.of(spectra)  # (batch, t, bands)
        x = self.heard((levels - _CENTRE) / _SPREAD) + self.place[clock % self.period]
        x, layers = self.blocks.step(x + (signs @ self.message)[:, None], state.layers)
        strength, more, added = self.decided(x).chunk(3, dim=-1)
        weights = nn.functional.pad(signs, (1, 0), value=1.0)  # the reference is always there
        patterns = torch.einsum("bi,pif->bpf", weights, self.patterns)
        pattern = patterns.gather(1, (clock % self.period)[..., None].expand(-1, -1, patterns.shape[2]))
        gain_db = self.limit_db * torch.tanh(2 * torch.sigmoid(strength) * pattern / self.limit_db + more)
        gain = (_NEPERS_PER_DB * gain_db @ self.spread).exp()
        term = self.added * torch.tanh(added) * levels.exp() * self.mean
        spectra = spectra * gain + self.carrier[clock % _CARRIER_FRAMES] * (term @ self.spread)
        following = (state.clock + spectra.shape[1]) % self.cycle
        return spectra, state._replace(clock=following, layers=layers)


def _carrier(bins: int) -> Tensor:
    """Unit numbers `(_CARRIER_FRAMES, bins)` whose phases look random, the same on every machine."""
    frame, bin_number = torch.arange(_CARRIER_FRAMES)[:, None].double(), torch.arange(bins).double()
    turns = (_GOLDEN * (bin_number + 1) * (frame + bin_number + 1)) % 1.0
    return torch.polar(torch.ones_like(turns), 2 * math.pi * turns).to(torch.complex64)
