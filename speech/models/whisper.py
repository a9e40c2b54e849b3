"""Whisper (Radford et al. 2022): an encoder that sees everything, and a label decoder.

It computes utterances at their true length: positions and attention end where the audio does. Published weights have
learnt to end a text only where silence fills their window; those must be given padded audio.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn

from speech.audio.log_mel import LogMel, LogMelConfig
from speech.choices import Live
from speech.errors import ConfigError
from speech.nn.decoder.label import DecoderState, LabelDecoder, LabelDecoderConfig
from speech.nn.encoder.base import Halfway
from speech.nn.encoder.whisper import WhisperEncoderConfig


@dataclass(kw_only=True, slots=True)
class WhisperConfig:
    """Encoder and decoder without their tokenizer; the defaults are Whisper-base."""

    live: ClassVar[Live] = Live.parts
    """Its encoder sees all of a part at once."""
    encoder: WhisperEncoderConfig = field(default_factory=lambda: WhisperEncoderConfig(period=None))
    decoder: LabelDecoderConfig = field(default_factory=LabelDecoderConfig)
    alignment_heads: list[tuple[int, int]] = field(default_factory=list)
    """(layer, head) of cross-attention that follows what is said, from 0."""
    suppressed: list[int] = field(default_factory=list)
    """Tokens that are never written."""
    suppressed_first: list[int] = field(default_factory=list)
    """Tokens that no text begins with."""
    positions: int = 1500
    """Encoder frames that it has been trained on: it hears no more at once."""
    true_length: bool = False
    """Whether it has learnt to write utterances of any length; otherwise silence has to fill all `positions`."""
    english_only: bool = False
    """Whether it knows no other language, and is told none."""
    added: list[str] = field(default_factory=list)
    """ISO 639-3 codes of languages that were added: their tokens are the last of the vocabulary, in this order."""

    def __post_init__(self) -> None:
        if self.encoder.dim != self.decoder.dim:
            raise ConfigError(
                f"encoder of width {self.encoder.dim}, decoder of {self.decoder.dim}", fix="Make them one."
            )

    def build(self) -> Whisper:
        return Whisper(self)

    def added_tokens(self) -> dict[str, int]:
        """Token of each language that was added."""
        first = self.decoder.vocabulary - len(self.added)
        return {code: first + n for n, code in enumerate(self.added)}

    def log_mel(self) -> LogMelConfig:
        return LogMelConfig.whisper_published(self.encoder.bins)


class Whisper(nn.Module):
    """See the module's docstring."""

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__()
        self.config = config
        self.log_mel = LogMel(config.log_mel())
        self.encoder = config.encoder.build()
        self.decoder = LabelDecoder(config.decoder)
        self.parameter_count = sum(parameter.numel() for parameter in self.parameters())

    @property
    def frame_s(self) -> float:
        """Seconds from one frame to the next."""
        return self.encoder.factor * 0.01

    @property
    def live(self) -> Live:
        """See `WhisperConfig`."""
        return self.config.live

    @property
    def device(self) -> torch.device:
        return self.log_mel.window.device

    @property
    def dtype(self) -> torch.dtype:
        """Numbers of its frames; linear layers may lie in fewer bits."""
        return self.encoder.norm.weight.dtype

    @property
    def max_frames(self) -> int:
        """That it hears at once."""
        return self.config.positions

    @property
    def true_length(self) -> bool:
        """Whether it writes utterances as they are; otherwise silence has to fill `max_frames`."""
        return self.config.true_length

    @property
    def max_tokens(self) -> int:
        """Of a text with its prompt."""
        return self.config.decoder.positions

    @property
    def alignment_heads(self) -> list[tuple[int, int]]:
        """(layer, head) of cross-attention that follows what is said, from 0."""
        return self.config.alignment_heads

    @property
    def suppressed(self) -> list[int]:
        """Tokens that are never written."""
        return self.config.suppressed

    @property
    def suppressed_first(self) -> list[int]:
        """Tokens that no text begins with."""
        return self.config.suppressed_first

    def encode(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """`samples (batch, N)` at 16 kHz, `lengths (batch,)` to frames `(batch, T, dim)`, `(batch,)`."""
        return self.upper(self.lower(samples, lengths, 0))

    def lower(self, samples: Tensor, lengths: Tensor, layers: int) -> Halfway:
        """What the convolutions and the lowest `layers` make of samples; arguments are those of `encode`."""
        features, frames = self.log_mel(samples, lengths)
        return self.encoder.until(layers, features.to(self.dtype), frames)

    def upper(self, half: Halfway) -> tuple[Tensor, Tensor]:
        """What `encode` says, from `lower` on."""
        encoded = self.encoder.onward(half)
        return encoded.x, encoded.lengths

    def begin(self, frames: Tensor, lengths: Tensor | None = None) -> DecoderState:
        """See `LabelDecoder.begin`."""
        return self.decoder.begin(frames, lengths)

    def step(
        self, tokens: Tensor, state: DecoderState, heads: Sequence[tuple[int, int]] = ()
    ) -> tuple[Tensor, DecoderState, Tensor | None]:
        """See `LabelDecoder.step`."""
        return self.decoder.step(tokens, state, heads)

    def logits(self, x: Tensor) -> Tensor:
        """`(..., dim)` of `step` to float32 `(..., vocabulary)`."""
        return self.decoder.logits(x).float()

    def forward(self, samples: Tensor, lengths: Tensor, tokens: Tensor) -> Tensor:
        """Logits `(batch, n, vocabulary)` of what follows each of `tokens (batch, n)`."""
        return self.decoder(tokens, *self.encode(samples, lengths))
