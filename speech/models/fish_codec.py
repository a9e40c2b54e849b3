"""Firefly, the codec of Fish-Speech 1.4 and 1.5 (Liao et al. 2024, section 3.2): samples to codes and back.

log-mel -> ConvNeXt encoder -> lower rate -> GFSQ -> codes -> higher rate -> HiFi-GAN -> samples

Everything behind the log-mel front end is causal, so codes are decoded piece by piece, as they come.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from speech.errors import AudioError, ConfigError
from speech.models.codec import CodecDecoderState
from speech.nn.codec.gfsq import GfsqConfig
from speech.nn.codec.hifi_gan import HifiGanConfig, HifiGanHead
from speech.nn.fish.firefly import FireflyQuantizer, firefly_encoder
from speech.nn.fish.log_mel import FireflyLogMel
from speech.ranges import Range, check, ranged, within

_PIECE = 32
"""Frames of codes that are decoded at once, which bounds memory."""
_COUNTED = within(Range(least=1, count=(1, None)))


def _published_head() -> HifiGanConfig:
    return HifiGanConfig(channels=512, rates=[8, 8, 2, 2, 2])


@dataclass(kw_only=True, slots=True)
class FishCodecConfig:
    """Shape of the codec; by default that of the published one, `firefly-gan-vq-fsq-8x1024-21hz`."""

    sample_rate: int = ranged(44100, least=8000, most=192000)
    """Hz."""
    hop: int = ranged(512, least=1)
    """Samples between spectra."""
    n_fft: int = ranged(2048, least=2)
    """Window in samples; `n_fft - hop` is even."""
    n_mels: int = ranged(160, least=1)
    kernel: int = ranged(7, least=1)
    """Frames that the encoder's convolutions see."""
    depths: list[int] = field(default_factory=lambda: [3, 3, 9, 3], metadata=_COUNTED)
    """Blocks of each stage of the encoder."""
    dims: list[int] = field(default_factory=lambda: [128, 256, 384, 512], metadata=_COUNTED)
    """Channels of each stage; those of the last one are quantised and decoded."""
    factors: list[int] = field(default_factory=lambda: [2, 2], metadata=_COUNTED)
    """Their product is the number of spectra per frame of codes."""
    quantizer: GfsqConfig = field(default_factory=lambda: GfsqConfig(bounds=2))
    hifi_gan: HifiGanConfig = field(default_factory=_published_head)

    def __post_init__(self) -> None:
        check(self, "model")
        if self.n_fft < self.hop or (self.n_fft - self.hop) % 2:
            raise ConfigError(f"model: n_fft {self.n_fft}, hop {self.hop}", fix="Give an n_fft of hop + 2 k.")
        if len(self.depths) != len(self.dims):
            raise ConfigError(f"model: {len(self.depths)} depths, {len(self.dims)} dims", fix="Give one of each.")
        if math.prod(self.hifi_gan.rates) != self.hop:
            what = f"model.hop {self.hop}, model.hifi_gan.rates {self.hifi_gan.rates}"
            raise ConfigError(what, fix="Give rates whose product is hop.")

    def build(self) -> FishCodec:
        """Build the codec with random parameters.

        Raises:
            ConfigError: if the quantiser's groups do not divide the last of `dims`.
        """
        return FishCodec(self)


class FishCodec(nn.Module):
    """Encodes whole utterances; decodes whole ones or streams, with the same result."""

    delay_samples = 0
    """As in `speech.models.base.Codec`: the decoder says at once what a code means."""

    def __init__(self, config: FishCodecConfig) -> None:
        super().__init__()
        self.config = config
        self.log_mel = FireflyLogMel(config.sample_rate, config.n_fft, config.hop, config.n_mels)
        self.encoder = firefly_encoder(config.n_mels, config.depths, config.dims, config.kernel)
        self.quantizer = FireflyQuantizer(config.dims[-1], config.factors, config.quantizer)
        self.head = HifiGanHead(config.dims[-1], config.hifi_gan)
        self.parameter_count = sum(parameter.numel() for parameter in self.parameters())

    @property
    def device(self) -> torch.device:
        return self.quantizer.gfsq.down.device

    @property
    def dtype(self) -> torch.dtype:
        return self.quantizer.gfsq.down.dtype

    @property
    def sample_rate(self) -> int:
        return self.config.sample_rate

    @property
    def frame_samples(self) -> int:
        """Samples per frame of codes."""
        return self.config.hop * math.prod(self.config.factors)

    @property
    def frame_s(self) -> float:
        """Seconds per frame of codes."""
        return self.frame_samples / self.sample_rate

    @property
    def codebooks(self) -> int:
        return self.quantizer.gfsq.codebooks

    @property
    def codebook_size(self) -> int:
        return self.quantizer.gfsq.codebook_size

    @torch.no_grad()
    def encode(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Encode whole utterances. Less than a hop at the end of one is left out.

        Args:
            samples: `(batch, N)` at `sample_rate`.
            lengths: `(batch,)`.

        Returns:
            Codes `(batch, codebooks, T)` int64, and frames `(batch,)`: all that the published server makes of a
            reference, the last of which may be incomplete.

        Raises:
            AudioError: if an utterance is too short.
        """
        shortest = int(lengths.min())
        if shortest <= self.log_mel.side:
            what = f"{shortest} samples, expected more than {self.log_mel.side}"
            raise AudioError(what, fix="Give some seconds of speech.")
        features, frames = self.log_mel(samples, lengths)
        real = (torch.arange(features.shape[1], device=features.device) < frames[:, None])[..., None]
        return self.quantizer.encode(self.encoder(features.to(self.dtype)) * real, frames)

    @torch.no_grad()
    def decode(self, codes: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Samples `(batch, T * frame_samples)` of codes `(batch, codebooks, T)`, zero beyond each utterance, and their
        numbers `(batch,)`, by the frames `lengths (batch,)` of each."""
        state, pieces = self.init_decoder(len(codes)), [codes.new_zeros(len(codes), 0).float()]
        for piece in _pieces(codes):
            samples, state = self.decode_step(piece, state)
            pieces.append(samples)
        whole, ends = torch.cat(pieces, dim=1), lengths * self.frame_samples
        return whole * (torch.arange(whole.shape[1], device=whole.device) < ends[:, None]), ends

    def init_decoder(self, batch: int) -> CodecDecoderState:
        """State of `batch` streams before their first codes."""
        return CodecDecoderState(self.quantizer.begin(batch), self.head.begin(batch))

    @torch.no_grad()
    def decode_step(self, codes: Tensor, state: CodecDecoderState) -> tuple[Tensor, CodecDecoderState]:
        """Samples `(batch, t * frame_samples)` of codes `(batch, codebooks, t)`, which later codes cannot change, and
        the next state."""
        x, layers = self.quantizer.step(codes, state.layers)
        samples, head = self.head.step(x, state.head)
        return samples, CodecDecoderState(layers, head)


def _pieces(codes: Tensor) -> Iterable[Tensor]:
    return codes.split(_PIECE, dim=2) if codes.shape[2] else ()
