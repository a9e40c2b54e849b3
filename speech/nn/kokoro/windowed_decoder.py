"""The decoder over windows of an utterance, with normalisations by known statistics: frames need only neighbours.

text, pitch, energy ---- blocks, which read `block_context` more frames on either side ---+
pitch ---- excitation ---------------- generator, which reads `context` more on either side -+-> samples of the window

What a window gives does not depend, but for the order of sums of floats, on how the utterance is cut. In bfloat16 the
farthest neighbours are left out: what they change lies 50 dB below the samples, what rounding changes 34 dB.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from speech.nn.kokoro.decoder import StyleDecoder
from speech.nn.kokoro.generator import LAST_SLOPE, LAST_SOURCE_KERNEL, SLOPE, GeneratorConfig, GeneratorStage
from speech.nn.kokoro.harmonic_source import NoiseRow
from speech.nn.kokoro.norm_statistics import NormStatistics, norms_of
from speech.nn.kokoro.row_layers import Affine, Convolution, SnakeRow, Snakes, StyledRow
from speech.nn.kokoro.style_norm import EPS

_NARROW = 3, 8
"""`context` and `block_context` in bfloat16, of 5 and 11: a third less to compute in a first window."""


class _Stage:
    """`GeneratorStage` of one row."""

    def __init__(self, stage: GeneratorStage, dtype: torch.dtype) -> None:
        self._last = stage.last
        self._up, self._source = Convolution(stage.up, dtype), Convolution(stage.source, dtype)
        self._source_block = SnakeRow(stage.source_block, dtype)
        self._blocks = [SnakeRow(block, dtype) for block in stage.blocks]  # type: ignore[arg-type]

    def folded(self, affines: Iterator[Affine]) -> list[Snakes]:
        """Activations of an utterance, block by block."""
        return [block.folded(affines) for block in (self._source_block, *self._blocks)]

    def __call__(self, x: Tensor, source: Tensor, snakes: Sequence[Snakes]) -> Tensor:
        x = self._up(F.leaky_relu(x, SLOPE)).float()
        if self._last:
            x = torch.cat([x[1:2], x])  # reflected, so that frames are centred on the beginning of their samples
        x = x + self._source_block(self._source(source).float(), snakes[0])
        total = torch.zeros_like(x)
        for block, own in zip(self._blocks, snakes[1:], strict=True):
            total += block(x, own)
        return total / len(self._blocks)


@dataclass(frozen=True, slots=True)
class DecoderInput:
    """An utterance before its samples."""

    text: Tensor
    """`(frames, dim)`"""
    pitch: Tensor
    """Hz `(2 * frames,)`"""
    energy: Tensor
    """`(2 * frames,)`"""
    noise: NoiseRow | None
    """Of `frames * frame_samples`; None: no noise."""


class WindowedDecoder:
    """Decodes parts of utterances.

    Args:
        decoder: whose parameters are copied.
        config: of its generator.
        dtype: of convolutions; all else is float32.
    """

    def __init__(self, decoder: StyleDecoder, config: GeneratorConfig, dtype: torch.dtype) -> None:
        generator = decoder.generator
        self.frame_samples = decoder.frame_samples
        self.source, self._stft = generator.source, generator.stft
        norms = norms_of(decoder)
        self._sizes = [norm.channels for norm in norms]
        halves = _halves([norm.linear.weight.detach() for norm in norms])
        self._scales, self._shifts = (half.t().contiguous() for half in halves)  # the sums of each output in one thread
        self._scale_bias, self._shift_bias = _halves([norm.linear.bias.detach() for norm in norms])
        self._curves = [Convolution(conv, torch.float32) for conv in (decoder.pitch, decoder.energy)]
        self._text = Convolution(decoder.text, dtype)
        self._blocks = [StyledRow(block, dtype) for block in (decoder.first, *decoder.blocks)]
        self._stages = [_Stage(stage, dtype) for stage in generator.stages]  # type: ignore[arg-type]
        self._out = Convolution(generator.out, torch.float32)
        enough = _NARROW if dtype == torch.bfloat16 else (math.inf, math.inf)
        self.context = int(min(math.ceil(_generator_context(config) / 2), enough[0]))
        """Frames on either side that a window's samples are computed with, behind the blocks."""
        self.block_context = int(min(2 * len(self._blocks) + 1, enough[1]))
        """Frames on either side that a frame is computed with in the blocks."""

    @torch.no_grad()
    def begin(self, utterance: DecoderInput, style: Tensor, statistics: NormStatistics) -> DecodedUtterance:
        """Prepare to decode an utterance.

        Args:
            utterance: text and curves.
            style: `(style_dim,)`.
            statistics: of the voice.
        """
        affines = self._affines(style, statistics)
        plain = 2 * len(self._blocks)
        rest = iter(affines[plain:])
        snakes = [stage.folded(rest) for stage in self._stages]
        return DecodedUtterance(self, utterance, affines[:plain], snakes)

    def _affines(self, style: Tensor, statistics: NormStatistics) -> list[Affine]:
        """What each normalisation does to a channel, in a style."""
        scale, shift = style @ self._scales, style @ self._shifts
        means, variances = statistics.means.to(style.device), statistics.variances.to(style.device)
        scale = (1 + scale + self._scale_bias) * (variances + EPS).rsqrt()
        shift = shift + self._shift_bias - scale * means
        return [Affine(*own) for own in zip(scale.split(self._sizes), shift.split(self._sizes), strict=True)]

    def blocks(self, utterance: DecoderInput, affines: list[Affine], start: int, stop: int) -> Tensor:
        """Input of the generator for frames from `start` to `stop`: `(2 * (stop - start), channels)`."""
        low, high = max(start - self.block_context, 0), min(stop + self.block_context, len(utterance.text))
        x = utterance.text[low:high]
        halves = [curve[2 * low : 2 * high, None] for curve in (utterance.pitch, utterance.energy)]
        curves = torch.cat([conv(half) for conv, half in zip(self._curves, halves, strict=True)], dim=1)
        again, own = torch.cat([self._text(x).float(), curves], dim=1), iter(affines)
        x = self._blocks[0](torch.cat([x, curves], dim=1), own)
        for block in self._blocks[1:]:
            x = block(torch.cat([x, again], dim=1), own)
        return x[2 * (start - low) : 2 * (stop - low)]

    def generate(self, x: Tensor, excitation: Tensor, snakes: list[list[Snakes]]) -> Tensor:
        """Samples of `x (time, channels)` and of the excitation `(1, samples)`."""
        source = self._stft(excitation, torch.tensor([excitation.shape[1]], device=x.device))[0].t()
        for stage, own in zip(self._stages, snakes, strict=True):
            x = stage(x, source, own)
        spectra = self._out(F.leaky_relu(x, LAST_SLOPE)).t()[None]
        magnitudes, phases = spectra.chunk(2, dim=1)
        lengths = torch.tensor([spectra.shape[2]], device=x.device)
        return self._stft.inverse(magnitudes.exp(), phases.sin(), lengths)[0]


class DecodedUtterance:
    """Samples of an utterance, window by window; see `WindowedDecoder.begin`."""

    def __init__(
        self, decoder: WindowedDecoder, utterance: DecoderInput, affines: list[Affine], snakes: list[list[Snakes]]
    ) -> None:
        self._decoder, self._input, self._affines, self._snakes = decoder, utterance, affines, snakes
        self._turns = decoder.source.turns(utterance.pitch[None])

    @torch.no_grad()
    def samples(self, start: int, stop: int) -> Tensor:
        """Samples of frames from `start` to `stop`: `((stop - start) * frame_samples,)`."""
        decoder, whole, size = self._decoder, self._input, self._decoder.frame_samples
        low, high = max(start - decoder.context, 0), min(stop + decoder.context, len(whole.text))
        x = decoder.blocks(whole, self._affines, low, high)
        pitch, turns = whole.pitch[None, 2 * low : 2 * high], self._turns[..., 2 * low : 2 * high]
        noise = None if whole.noise is None else whole.noise(low * size, high * size)[None].to(pitch.device)
        samples = decoder.generate(x, decoder.source.excitation(pitch, turns, noise), self._snakes)
        return samples[(start - low) * size : (stop - low) * size]


def _halves(tensors: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """The first halves of tensors one behind the other, and the second halves."""
    both = [tensor.chunk(2) for tensor in tensors]
    return torch.cat([first for first, _ in both]), torch.cat([second for _, second in both])


def _generator_context(config: GeneratorConfig) -> float:
    """Input frames on either side that a sample depends on."""
    reach = (max(*config.block_kernels, LAST_SOURCE_KERNEL) - 1) // 2
    blocks = sum(reach * (dilation + 1) for dilation in config.dilations)
    context = 3.0 + config.n_fft / config.hop  # of the last convolution, and of overlapping frames
    for rate, kernel in zip(reversed(config.rates), reversed(config.kernels), strict=True):
        context = (context + blocks + 1 + kernel / 2) / rate
    return context + 1  # of the excitation, whose frames at both ends are inexact
