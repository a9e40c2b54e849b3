"""Whisper (Radford et al. 2022): an encoder with full context, and a label decoder.

Utterances are computed at their true length: positions and attention end with the audio. Published weights end texts
reliably only if silence fills the window, so they need padded audio.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn

from speech.audio.log_mel import LogMel, LogMelConfig
from speech.choices import Live
from speech.chunking import ChunkSpec
from speech.errors import ConfigError
from speech.nn.decoder.label import DecoderState, LabelDecoder, LabelDecoderConfig
from speech.nn.encoder.base import Grown, Halfway
from speech.nn.encoder.whisper import WhisperEncoderConfig
from speech.text.languages import ENGLISH
from speech.text.tokenizers.bpe import LabelTokenizer


@dataclass(kw_only=True, slots=True)
class WhisperConfig:
    """Configuration of encoder and decoder, without the tokenizer; the defaults are Whisper-base."""

    live: ClassVar[Live] = Live.parts
    """The encoder needs whole parts."""
    encoder: WhisperEncoderConfig = field(default_factory=lambda: WhisperEncoderConfig(period=None))
    decoder: LabelDecoderConfig = field(default_factory=LabelDecoderConfig)
    alignment_heads: list[tuple[int, int]] = field(default_factory=list)
    """(layer, head) of cross-attention heads aligned to the audio, counted from 0."""
    suppressed: list[int] = field(default_factory=list)
    """Tokens that are never written."""
    suppressed_first: list[int] = field(default_factory=list)
    """Tokens that may not begin a text."""
    positions: int = 1500
    """Maximum encoder frames per input, as trained."""
    true_length: bool = False
    """Whether utterances need no padding; otherwise they must be padded with silence to `positions`."""
    english_only: bool = False
    """Whether the model is English-only, and has no language token in its prompt."""
    added: list[str] = field(default_factory=list)
    """ISO 639-3 codes of added languages: their tokens are the last of the vocabulary, in this order."""
    st_targets: list[str] = field(default_factory=lambda: [ENGLISH])
    """ISO 639-3 codes of the languages that the decoder was trained to translate into; English-only models have
    none."""

    def __post_init__(self) -> None:
        if self.encoder.dim != self.decoder.dim:
            raise ConfigError(
                f"encoder of width {self.encoder.dim}, decoder of {self.decoder.dim}", fix="Make them one."
            )

    def build(self) -> Whisper:
        return Whisper(self)

    def added_tokens(self) -> dict[str, int]:
        """Token of each added language."""
        first = self.decoder.vocabulary - len(self.added)
        return {code: first + n for n, code in enumerate(self.added)}

    def tokenizer(self, data: bytes) -> LabelTokenizer:
        """The tokenizer with `tokenizer.json` of the checkpoint."""
        added = self.added_tokens()
        return LabelTokenizer(data, english_only=self.english_only, added=added, targets=self.st_targets)

    def log_mel(self) -> LogMelConfig:
        return LogMelConfig.whisper_published(self.encoder.bins)


GROWTH = ChunkSpec(size=64, left_context=512, right_context=64)
"""How `Whisper.grow` encodes: chunks of 1.28 s with 1.28 s of audio behind them and 10.24 s before."""


class Whisper(nn.Module):
    """Whisper model; see the module docstring."""

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__()
        self.config = config
        self.log_mel = LogMel(config.log_mel())
        self.encoder = config.encoder.build()
        self.decoder = LabelDecoder(config.decoder)
        self.parameter_count = sum(parameter.numel() for parameter in self.parameters())

    @property
    def frame_s(self) -> float:
        """Seconds between frames."""
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
        """Dtype of frames; weights of linear layers may have fewer bits."""
        return self.encoder.norm.weight.dtype

    @property
    def max_frames(self) -> int:
        """Maximum encoder frames per input."""
        return self.config.positions

    @property
    def true_length(self) -> bool:
        """Whether utterances need no padding; otherwise they must be padded with silence to `max_frames`."""
        return self.config.true_length

    @property
    def max_tokens(self) -> int:
        """Maximum tokens of a text with its prompt."""
        return self.config.decoder.positions

    @property
    def alignment_heads(self) -> list[tuple[int, int]]:
        """(layer, head) of cross-attention heads aligned to the audio, counted from 0."""
        return self.config.alignment_heads

    @property
    def suppressed(self) -> list[int]:
        """Tokens that are never written."""
        return self.config.suppressed

    @property
    def suppressed_first(self) -> list[int]:
        """Tokens that may not begin a text."""
        return self.config.suppressed_first

    def encode(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Encode `samples (batch, N)` at 16 kHz, `lengths (batch,)` to frames `(batch, T, dim)`, `(batch,)`."""
        return self.upper(self.lower(samples, lengths, 0))

    def lower(self, samples: Tensor, lengths: Tensor, layers: int) -> Halfway:
        """Run the convolutions and the lowest `layers` encoder layers; arguments as for `encode`."""
        features, frames = self.log_mel(samples, lengths)
        return self.encoder.until(layers, features.to(self.dtype), frames)

    def grow(self, samples: Tensor, whole: int, before: Grown | None) -> tuple[Tensor, Grown]:
        """Encode one utterance of which more will come, and of it only what has come since the last call.

        Chunks of `GROWTH` are encoded once; the frames behind them are encoded anew with each call. So the cost does
        not grow with the utterance, and frames differ a little from those of `encode`, which have full context.

        Args:
            samples: `(1, N)` at 16 kHz, all that has been heard.
            whole: samples with the silence behind them.
            before: second result of the last call, for the beginning of `samples`; None: the first call.

        Returns:
            Frames `(1, T, dim)` of all audio and the silence, and what the next call needs.
        """
        padded = nn.functional.pad(samples, (0, whole - samples.shape[1]))
        features = self.log_mel(padded, torch.tensor([whole], device=padded.device))[0].to(self.dtype)
        if before is None:
            before = Grown(features.new_zeros(1, 0, self.config.encoder.dim), self.encoder.init_state(1, GROWTH))
        fed = int(before.encoder.received[0])
        ready = max(self.log_mel.ready(samples.shape[1]), fed)  # later frames will change
        done, state = self.encoder.step(features[:, fed:ready], before.encoder, GROWTH)
        grown = Grown(torch.cat([before.frames, done], dim=1), state)
        open_end = state._replace(
            pending=torch.cat([state.pending, features[:, ready:].to(state.pending.dtype)], dim=1),
            received=state.received + features.shape[1] - ready,
        )
        left = int((self.encoder.subsampling.output_lengths(open_end.received) - state.done)[0])
        rest = self.encoder.finish(open_end, ChunkSpec(size=left, left_context=GROWTH.left_context))
        return torch.cat([grown.frames, rest], dim=1), grown

    def upper(self, half: Halfway) -> tuple[Tensor, Tensor]:
        """Run the remaining encoder layers on the output of `lower`; returns the result of `encode`."""
        encoded = self.encoder.onward(half)
        return encoded.x, encoded.lengths

    def begin(
        self, frames: Tensor, lengths: Tensor | None = None, before: DecoderState | None = None, kept: int = 0
    ) -> DecoderState:
        """See `LabelDecoder.begin`."""
        return self.decoder.begin(frames, lengths, before, kept)

    def step(
        self, tokens: Tensor, state: DecoderState, heads: Sequence[tuple[int, int]] = ()
    ) -> tuple[Tensor, DecoderState, Tensor | None]:
        """See `LabelDecoder.step`."""
        return self.decoder.step(tokens, state, heads)

    def asked(self, tokens: Tensor, state: DecoderState) -> Tensor:
        """See `LabelDecoder.asked`."""
        return self.decoder.asked(tokens, state)

    def logits(self, x: Tensor) -> Tensor:
        """Logits, float32 `(..., vocabulary)`, from `(..., dim)` of `step`."""
        return self.decoder.logits(x).float()

    def forward(self, samples: Tensor, lengths: Tensor, tokens: Tensor) -> Tensor:
        """Logits `(batch, n, vocabulary)` of the token after each of `tokens (batch, n)`."""
        return self.decoder(tokens, *self.encode(samples, lengths))
