"""A trainable codec: log-mel -> causal ConvNeXt encoder -> GFSQ -> causal ConvNeXt decoder -> head -> samples.

The quantiser is that of Fish-Speech (Liao et al. 2024, section 3.2), the decoder head that of Vocos (Siuzdak 2023) or
of HiFi-GAN's type.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from speech.audio.causal_log_mel import CausalLogMel
from speech.errors import ConfigError
from speech.nn.codec.causal import CausalConvolution, CausalLayer, CausalSequence, CausalUpsampling, Framewise
from speech.nn.codec.convnext import convnext_stack
from speech.nn.codec.gfsq import Gfsq, GfsqConfig
from speech.nn.codec.hifi_gan import HifiGanConfig, HifiGanHead
from speech.nn.codec.istft import IstftHead
from speech.nn.codec.quantized import Quantizer
from speech.ranges import check, ranged

_CENTRE, _SPREAD = -5.0, 3.0
"""About the mean and the standard deviation of log-mel magnitudes of speech."""


class DecoderHead(StrEnum):
    """From frames to samples."""

    istft = "istft"
    """Spectra and overlap-add: light."""
    hifi_gan = "hifi_gan"
    """Transposed convolutions: heavy."""


@dataclass(kw_only=True, slots=True)
class CodecConfig:
    """Shape of a codec; by default 24 kHz, 21.4 frames/s, 8 codes per frame of 10 bits: 1.7 kbit/s."""

    sample_rate: int = ranged(24000, least=8000, most=192000)
    """Hz."""
    hop: int = ranged(280, least=1)
    """Samples between spectra; even, as `n_fft - hop` is halved."""
    n_fft: int = ranged(1120, least=2)
    """Window of encoder and decoder in samples, a multiple of `hop`."""
    n_mels: int = ranged(100, least=1)
    factor: int = ranged(4, least=1)
    """Spectra per frame of codes."""
    kernel: int = ranged(7, least=1)
    """Frames that a block's convolution sees."""
    encoder_dim: int = ranged(192, least=1)
    encoder_layers: int = ranged(4, least=1)
    """Encoder blocks at the rate of spectra."""
    dim: int = ranged(256, least=1)
    layers: int = ranged(2, least=1)
    """Blocks at the rate of codes, before and behind the quantiser each."""
    decoder_dim: int = ranged(256, least=1)
    decoder_layers: int = ranged(6, least=1)
    """Decoder blocks at the rate of spectra."""
    quantizer: GfsqConfig = field(default_factory=GfsqConfig)
    head: DecoderHead = DecoderHead.istft
    hifi_gan: HifiGanConfig = field(default_factory=HifiGanConfig)
    """Shape of that head; the product of its rates is `hop`."""

    def __post_init__(self) -> None:
        check(self, "model")
        if self.n_fft % self.hop or (self.n_fft - self.hop) % 2:
            raise ConfigError(
                f"model: n_fft {self.n_fft}, hop {self.hop}", fix="Give a multiple of an even hop as n_fft."
            )
        if self.dim % self.quantizer.groups:
            raise ConfigError(
                f"model.dim {self.dim}, model.quantizer.groups {self.quantizer.groups}",
                fix="Give a multiple of the groups.",
            )

        if self.head == DecoderHead.hifi_gan and math.prod(self.hifi_gan.rates) != self.hop:
            raise ConfigError(
                f"model.hop {self.hop}, model.hifi_gan.rates {self.hifi_gan.rates}",
                fix="Give rates whose product is hop.",
            )

    def build(self) -> NeuralCodec:
        """Build the codec with random parameters."""
        return NeuralCodec(self, Gfsq(self.dim, self.quantizer))


class CodecEncoderState(NamedTuple):
    """State of streams that are encoded."""

    samples: Tensor
    """State of the log-mel front end."""
    layers: tuple[Any, ...]


class CodecDecoderState(NamedTuple):
    """State of streams that are decoded."""

    layers: tuple[Any, ...]
    head: tuple[Any, ...]


class Reconstruction(NamedTuple):
    """Audio that went through the codec."""

    samples: Tensor
    """`(batch, N)`, with a gradient for encoder, quantiser and decoder."""
    codes: Tensor
    """`(batch, codebooks, frames)`"""
    loss: Tensor
    """Loss of the quantiser's own."""


class NeuralCodec(nn.Module):
    """Codec of `speech.models.base.Codec`. Encoder and decoder are causal: whole and in steps they give the same.

    Args:
        config: shape.
        quantizer: over `config.dim` channels.
    """

    def __init__(self, config: CodecConfig, quantizer: Quantizer) -> None:
        super().__init__()
        self.config = config
        self.quantizer = quantizer
        self.log_mel = CausalLogMel(config.sample_rate, config.n_fft, config.hop, config.n_mels)
        self.encoder = CausalSequence(
            [
                CausalConvolution(config.n_mels, config.encoder_dim, config.kernel),
                *convnext_stack(config.encoder_dim, config.encoder_layers, config.kernel),
                Framewise(nn.LayerNorm(config.encoder_dim)),
                CausalConvolution(config.encoder_dim, config.dim, config.factor, stride=config.factor),
                *convnext_stack(config.dim, config.layers, config.kernel),
                Framewise(nn.LayerNorm(config.dim)),
            ]
        )
        self.decoder = CausalSequence(
            [
                *convnext_stack(config.dim, config.layers, config.kernel),
                CausalUpsampling(config.dim, config.decoder_dim, config.factor),
                *convnext_stack(config.decoder_dim, config.decoder_layers, config.kernel),
                Framewise(nn.LayerNorm(config.decoder_dim)),
            ]
        )
        self.head: IstftHead | HifiGanHead
        if config.head == DecoderHead.hifi_gan:
            self.head = HifiGanHead(config.decoder_dim, config.hifi_gan)
        else:
            self.head = IstftHead(config.decoder_dim, config.n_fft, config.hop)
        self.parameter_count = sum(parameter.numel() for parameter in self.parameters())

    @property
    def device(self) -> torch.device:
        return next(self.encoder.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.encoder.parameters()).dtype

    @property
    def sample_rate(self) -> int:
        return self.config.sample_rate

    @property
    def frame_samples(self) -> int:
        return self.config.hop * self.config.factor

    @property
    def frame_s(self) -> float:
        return self.frame_samples / self.sample_rate

    @property
    def delay_samples(self) -> int:
        return self.head.delay

    @property
    def codebooks(self) -> int:
        return self.quantizer.codebooks

    @property
    def codebook_size(self) -> int:
        return self.quantizer.codebook_size

    def frames(self, lengths: Tensor) -> Tensor:
        """Frames of codes `(batch,)` that `lengths (batch,)` samples take."""
        return (lengths + self.delay_samples + self.frame_samples - 1) // self.frame_samples

    def forward(self, samples: Tensor, lengths: Tensor) -> Reconstruction:
        """Encode and decode whole utterances, for training; samples beyond each length are not to be used.

        Args:
            samples: `(batch, N)` at `sample_rate`.
            lengths: `(batch,)`.
        """
        x, _ = self._encoded(samples, lengths)
        x, codes, loss = self.quantizer(x)
        decoded = self.head(self.decoder(x))
        return Reconstruction(decoded[:, self.delay_samples :][:, : samples.shape[1]], codes, loss)

    def encode(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        x, frames = self._encoded(samples, lengths)
        codes = self.quantizer(x).codes
        valid = torch.arange(codes.shape[2], device=codes.device) < frames[:, None]
        return codes * valid[:, None], frames

    def decode(self, codes: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        samples = self.head(self.decoder(self.quantizer.decode(codes)))[:, self.delay_samples :]
        ends = (lengths * self.frame_samples - self.delay_samples).clamp(min=0)
        return samples * (torch.arange(samples.shape[1], device=samples.device) < ends[:, None]), ends

    def init_encoder(self, batch: int) -> CodecEncoderState:
        return CodecEncoderState(self.log_mel.begin(batch), self.encoder.begin(batch))

    def encode_step(self, samples: Tensor, state: CodecEncoderState) -> tuple[Tensor, CodecEncoderState]:
        features, waiting = self.log_mel.step(samples, state.samples)
        x, layers = self.encoder.step(self._normalized(features), state.layers)
        return self.quantizer(x).codes, CodecEncoderState(waiting, layers)

    def init_decoder(self, batch: int) -> CodecDecoderState:
        return CodecDecoderState(self.decoder.begin(batch), self._causal_head.begin(batch))

    def decode_step(self, codes: Tensor, state: CodecDecoderState) -> tuple[Tensor, CodecDecoderState]:
        x, layers = self.decoder.step(self.quantizer.decode(codes), state.layers)
        samples, head = self._causal_head.step(x, state.head)
        return samples, CodecDecoderState(layers, head)

    @property
    def _causal_head(self) -> CausalLayer:
        return self.head

    def _encoded(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Frames `(batch, frames, dim)` before the quantiser, and their numbers `(batch,)`.

        Each utterance ends in silence, so padding has no effect.
        """
        count = int(self.frames(lengths.new_tensor(samples.shape[1])))
        samples = samples * (torch.arange(samples.shape[1], device=samples.device) < lengths[:, None])
        samples = nn.functional.pad(samples, (0, count * self.frame_samples - samples.shape[1]))
        with torch.autocast(samples.device.type, enabled=False):
            features = self._normalized(self.log_mel(samples))
        return self.encoder(features), self.frames(lengths)

    def _normalized(self, features: Tensor) -> Tensor:
        return ((features - _CENTRE) / _SPREAD).to(self.dtype)
