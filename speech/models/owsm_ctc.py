"""OWSM-CTC (Peng et al. 2024): one encoder with a CTC head for recognition, translation and language identification.

`[language, task]` frames are prepended to the audio. Intermediate CTC outputs condition the layers above them; the
lower ones are trained on the transcript, the upper ones on the target of the task.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from speech.audio.log_mel import LogMel, LogMelConfig
from speech.choices import Live
from speech.chunking import ChunkSpec
from speech.errors import ConfigError
from speech.models.base import CtcState, Encoded
from speech.nn.ctc import CTCHead, SelfConditioning
from speech.nn.encoder.base import EncoderConfig, EncoderOutput, Halfway, Tap
from speech.nn.encoder.subsampling import Subsampling
from speech.nn.prompt import PromptConfig, PromptEncoder
from speech.nn.streaming import StreamTensors
from speech.ranges import Range, check, ranged, within
from speech.text.vocabulary import Vocabulary


class FrontEnd(StrEnum):
    """Log-mel front end of a model; names equal values."""

    owsm = "owsm"
    whisper = "whisper"


@dataclass(kw_only=True, slots=True)
class OwsmCtcConfig:
    """Model configuration without the vocabulary."""

    live: ClassVar[Live] = Live.chunks
    """The encoders support chunk-wise streaming."""
    encoder: EncoderConfig
    """Encoder; see `nn/encoder/whisper.py`, `nn/encoder/e_branchformer.py`."""
    front_end: FrontEnd = FrontEnd.owsm
    """Log-mel front end."""
    inter_layers: list[int] = field(default_factory=lambda: [6, 12, 15, 21], metadata=within(Range(least=1)))
    """Layers (from 1) with an intermediate CTC output."""
    inter_transcript: int = ranged(3, least=0)
    """Number of the lowest intermediate outputs that are trained on the transcript; the others get the task's
    target."""
    inter_norm: bool = False
    """Normalise frames before an intermediate output, for encoders whose layers do not end in a normalisation."""
    target_prefix: bool = True
    """Targets begin with the language and task tokens, and prefix frames are part of the CTC output (as published)."""
    language_head: bool = False
    """Predict a language distribution per frame, instead of using the first output token."""
    prompt_dim: int = ranged(512, least=1)
    """Width of prefix and prompt token embeddings."""
    prompt: PromptConfig | None = None
    """Prompt encoder; None: the model takes no text prompt."""
    inner_tokens: int | None = ranged(None, least=1)
    """Number of tokens fed back by intermediate outputs, if the model writes fewer (`speech.models.trimming`); None:
    equal."""

    def __post_init__(self) -> None:
        check(self, "model")
        if self.inter_transcript > len(self.inter_layers):
            raise ConfigError(f"model.inter_transcript {self.inter_transcript} > {len(self.inter_layers)} inter_layers")
        if self.inner_tokens is not None and not self.inter_layers:
            raise ConfigError(f"inner_tokens {self.inner_tokens} without inter_layers", fix="Leave it out.")

    def build(self, vocabulary: Vocabulary) -> OwsmCtc:
        return OwsmCtc(self, vocabulary)

    def log_mel(self) -> LogMelConfig:
        return LogMelConfig.whisper() if self.front_end == FrontEnd.whisper else LogMelConfig.owsm(self.encoder.bins)


class OwsmCtcOutput(NamedTuple):
    """Outputs of one forward pass."""

    log_probs: Tensor
    """Log-probabilities `(batch, T', vocabulary)` float32; with `target_prefix`, prefix frames come first."""
    lengths: Tensor
    """Number of frames `(batch,)`."""
    intermediate: list[Tensor]
    """Log-probabilities of the intermediate outputs, lowest layer first; empty unless requested."""
    language_logits: Tensor | None
    """Language logits `(batch, T', languages)`, or None."""


class _Layers(nn.Module):
    """Layers and properties of the model, and its processing before the encoder."""

    feature_mean: Tensor
    feature_std: Tensor

    def __init__(self, config: OwsmCtcConfig, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.config = config
        self.vocabulary = vocabulary
        dim, size = config.encoder.dim, len(vocabulary)
        self.log_mel = LogMel(config.log_mel())
        self.register_buffer("feature_mean", torch.zeros(config.encoder.bins))
        self.register_buffer("feature_std", torch.ones(config.encoder.bins))
        embedded = size if config.prompt is not None else vocabulary.piece_start
        self.embed = nn.Embedding(embedded, config.prompt_dim)
        self.embed_proj = nn.Linear(config.prompt_dim, dim)
        self.prompt = PromptEncoder(config.prompt, dim) if config.prompt is not None else None
        self.encoder = config.encoder.build()
        self.ctc = CTCHead(dim, size)
        inner = config.inner_tokens or size
        self.inner = CTCHead(dim, inner) if config.inner_tokens is not None else None
        self.conditioning = SelfConditioning(inner, dim) if config.inter_layers else None
        self.inter_norm = nn.LayerNorm(dim) if config.inter_norm else nn.Identity()
        self.language = nn.Linear(dim, len(vocabulary.languages)) if config.language_head else None
        self.parameter_count = sum(p.numel() for p in self.parameters())

    @property
    def frame_s(self) -> float:
        """Seconds between output frames."""
        return self.encoder.factor * 0.01

    @property
    def device(self) -> torch.device:
        return self.feature_mean.device

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of frames; weights of linear layers may have fewer bits."""
        return self.embed.weight.dtype

    @property
    def live(self) -> Live:
        """See `OwsmCtcConfig`."""
        return self.config.live

    @property
    def dim(self) -> int:
        """Dimension of frames."""
        return self.config.encoder.dim

    @property
    def layers(self) -> int:
        """Number of encoder layers."""
        return len(self.encoder.layers)

    @property
    def subsampling(self) -> Subsampling:
        """The encoder's convolutional subsampling."""
        return self.encoder.subsampling

    @property
    def writes_prefix(self) -> bool:
        """Whether the model emits language and task tokens before the words."""
        return self.config.target_prefix

    @property
    def identifies_languages(self) -> bool:
        """Whether there is a language head, or a language token at the start of the output."""
        return self.config.language_head or self.config.target_prefix

    def features(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Convert `samples (batch, N)` at 16 kHz, `lengths (batch,)` to log-mel `(batch, T, bins)`, `(batch,)`."""
        return self.log_mel(samples, lengths)

    def normalise(self, features: Tensor) -> Tensor:
        """Subtract the corpus mean, divide by the corpus standard deviation, and cast to the dtype of the weights."""
        return ((features - self.feature_mean) / self.feature_std).to(self.dtype)

    def subsample(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Convert `samples (batch, N)`, `lengths (batch,)` to subsampled frames `(batch, T', dim)`, `(batch,)`."""
        features, lengths = self.features(samples, lengths)
        return self.encoder.subsampling(self.normalise(features), lengths)

    def prefix(self, prefix: Tensor) -> Tensor:
        """Embed token ids `(batch, 2)` as prefix frames `(batch, 2, dim)`."""
        return self.embed_proj(self.embed(prefix))

    def memory(self, prompt: Sequence[Sequence[int]] | None, batch: int) -> StreamTensors | None:
        """Encode text prompts; no prompt is the single token `<na>`. Raises ConfigError if the model takes no
        prompt."""
        if self.prompt is None:
            if prompt is not None:
                raise ConfigError("this model takes no text prompt", fix="Use a model with a prompt encoder.")
            return None
        rows = prompt if prompt is not None else [[self.vocabulary.na]] * batch
        width = max(len(row) for row in rows)
        ids = torch.tensor([list(row) + [0] * (width - len(row)) for row in rows], device=self.embed.weight.device)
        lengths = torch.tensor([len(row) for row in rows], device=ids.device)
        return self.prompt(self.embed(ids), lengths)


class OwsmCtc(_Layers):
    """OWSM-CTC model; see the module docstring."""

    def _tap(self, record: list[Tensor] | None, adapters: Tap | None = None) -> Tap | None:
        """Function applied after each layer: adapters first, then intermediate outputs."""
        conditioned = self._conditioned(record)
        if adapters is None or conditioned is None:
            return adapters or conditioned
        return lambda number, x: conditioned(number, adapters(number, x))

    def _conditioned(self, record: list[Tensor] | None) -> Tap | None:
        if self.conditioning is None:
            return None
        layers, conditioning, head = set(self.config.inter_layers), self.conditioning, self.inner or self.ctc

        def tap(number: int, x: Tensor) -> Tensor:
            if number not in layers:
                return x
            if record is None:
                return conditioning.from_head(x, self.inter_norm(x), head)
            record.append(head(self.inter_norm(x)))
            return conditioning(x, record[-1])

        return tap

    def forward(
        self,
        features: Tensor,
        lengths: Tensor,
        prefix: Tensor,
        chunk: ChunkSpec | None = None,
        *,
        prompt: Sequence[Sequence[int]] | None = None,
        offset: Tensor | int = 0,
        intermediate: bool = False,
    ) -> OwsmCtcOutput:
        """Log-probabilities of whole utterances; arguments as for `encode`."""
        found = self.encode(features, lengths, prefix, chunk, prompt=prompt, offset=offset, intermediate=intermediate)
        return OwsmCtcOutput(self.ctc(found.x), found.lengths, found.intermediate, found.language_logits)

    def encode(
        self,
        features: Tensor,
        lengths: Tensor,
        prefix: Tensor,
        chunk: ChunkSpec | None = None,
        *,
        prompt: Sequence[Sequence[int]] | None = None,
        offset: Tensor | int = 0,
        intermediate: bool = False,
        subsampled: bool = False,
        adapters: Tap | None = None,
    ) -> Encoded:
        """Encode whole utterances.

        Args:
            features, lengths: `(batch, T, bins)` log-mel and `(batch,)`.
            prefix: `(batch, 2)` ids of language (or `<nolang>`) and task.
            chunk: attention chunks; None: full context.
            prompt: token ids of the preceding text, per utterance.
            offset: see `Encoder.forward`.
            intermediate: also return intermediate outputs, for training; in a trimmed model they have other tokens.
            subsampled: `features` and `lengths` are outputs of `subsample`.
            adapters: tap of an `AdapterBank`.
        """
        record: list[Tensor] | None = [] if intermediate else None
        memory = self.memory(prompt, features.shape[0])
        encoded = self.encoder(
            features if subsampled else self.normalise(features),
            lengths,
            chunk,
            prefix=self.prefix(prefix),
            tap=self._tap(record, adapters),
            memory=memory,
            offset=offset,
            subsampled=subsampled,
        )
        return self._encoded(encoded, record)

    def until(self, layer: int, features: Tensor, lengths: Tensor, prefix: Tensor) -> Halfway:
        """Run `encode` without prompt up to a layer; see `Encoder.until`."""
        memory, tap = self.memory(None, features.shape[0]), self._tap(None)
        features = self.normalise(features)
        return self.encoder.until(layer, features, lengths, prefix=self.prefix(prefix), tap=tap, memory=memory)

    def onward(self, half: Halfway, *, intermediate: bool = False, adapters: Tap | None = None) -> Encoded:
        """Run `encode` from the output of `until` on; intermediate outputs are those of the remaining layers."""
        record: list[Tensor] | None = [] if intermediate else None
        memory, tap = self.memory(None, half.x.shape[0]), self._tap(record, adapters)
        return self._encoded(self.encoder.onward(half, tap=tap, memory=memory), record)

    def behind(self, x: Tensor, lengths: Tensor, prefix: Tensor) -> Encoded:
        """Run `encode` from frames `(batch, T', dim)`, `lengths (batch,)` of the `shared_layers` of a label model;
        `prefix (batch, 2)` as for `encode`."""
        return self.onward(self.encoder.behind(x.to(self.dtype), lengths, self.prefix(prefix)))

    def _encoded(self, encoded: EncoderOutput, record: list[Tensor] | None) -> Encoded:
        x, out_lengths, front = encoded.x, encoded.lengths, encoded.prefix.shape[1]
        start = 0 if self.config.target_prefix else front
        if self.config.target_prefix:
            x, out_lengths = torch.cat([encoded.prefix, x], dim=1), out_lengths + front
        languages = self.language(encoded.x).float() if self.language is not None else None
        end = front + encoded.x.shape[1]
        return Encoded(x, out_lengths, [y[:, start:end] for y in record or []], languages)

    def init_state(
        self,
        prefix: Tensor,
        chunk: ChunkSpec,
        prompt: Sequence[Sequence[int]] | None = None,
        *,
        adapters: Tap | None = None,
    ) -> CtcState:
        """Initial state of streams with `prefix (batch, 2)`."""
        batch = prefix.shape[0]
        memory, tap = self.memory(prompt, batch), self._tap(None, adapters)
        state = self.encoder.init_state(batch, chunk, prefix=self.prefix(prefix), tap=tap, memory=memory)
        return CtcState(state, memory if memory is not None else StreamTensors())

    def missing(self, state: CtcState, frames: int) -> int:
        """Feature frames needed before `frames` more subsampled frames can be computed."""
        return self.subsampling.span(frames) - state.encoder.pending.shape[1]

    def read(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Log-probabilities and language logits of frames `(batch, t, dim)`."""
        return self.ctc(x), self.language(x).float() if self.language is not None else None

    def step(
        self, features: Tensor, state: CtcState, chunk: ChunkSpec, *, adapters: Tap | None = None
    ) -> tuple[Tensor, Tensor | None, CtcState]:
        """Process `features (batch, t, bins)` of any length; returns log-probabilities and language logits of completed
        chunks.

        `adapters` may change between chunks.
        """
        x, state = self.encode_step(features, state, chunk, adapters=adapters)
        return *self.read(x), state

    def encode_step(
        self, features: Tensor, state: CtcState, chunk: ChunkSpec, *, adapters: Tap | None = None
    ) -> tuple[Tensor, CtcState]:
        """Run `step` without the heads; returns frames `(batch, t', dim)`."""
        memory = state.memory if self.prompt is not None else None
        x, encoder = self.encoder.step(
            self.normalise(features), state.encoder, chunk, tap=self._tap(None, adapters), memory=memory
        )
        return x, state._replace(encoder=encoder)

    def finish(self, state: CtcState, chunk: ChunkSpec, *, adapters: Tap | None = None) -> tuple[Tensor, Tensor | None]:
        """Process the frames still pending at the end of the streams."""
        memory = state.memory if self.prompt is not None else None
        return self.read(self.encoder.finish(state.encoder, chunk, tap=self._tap(None, adapters), memory=memory))
