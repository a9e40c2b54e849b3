"""Model interfaces: streaming, decoding, export and serving depend on these Protocols, not on model classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from speech.audio.log_mel import LogMel
from speech.choices import Live
from speech.chunking import ChunkSpec
from speech.nn.ctc import CTCHead
from speech.nn.decoder.label import DecoderState
from speech.nn.encoder.base import EncoderState, Grown, Halfway, Tap
from speech.nn.encoder.subsampling import Subsampling
from speech.nn.linears import Network
from speech.nn.streaming import StreamTensors
from speech.text.vocabulary import Vocabulary


class Model(Network, Protocol):
    """Properties common to all models."""

    @property
    def device(self) -> torch.device:
        """Device of the model."""

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of frames; weights of linear layers may have fewer bits."""

    @property
    def frame_s(self) -> float:
        """Seconds between frames."""

    @property
    def parameter_count(self) -> int:
        """Number of parameters as trained, regardless of their precision."""


class Hearing(Model, Protocol):
    """A model with audio input."""

    @property
    def live(self) -> Live:
        """Whether live audio is processed in chunks, or in whole parts only."""


class Encoded(NamedTuple):
    """Encoder output before the CTC head."""

    x: Tensor
    """Frames `(batch, T', dim)`; if the model `writes_prefix`, prefix frames come first."""
    lengths: Tensor
    """Number of frames `(batch,)`."""
    intermediate: list[Tensor]
    """Log-probabilities of the intermediate outputs, lowest layer first; empty unless requested."""
    language_logits: Tensor | None
    """Language logits `(batch, T', languages)`, or None."""


class CtcState(NamedTuple):
    """State of live streams: encoder state and prompt; `speech.nn.streaming` selects and merges rows."""

    encoder: EncoderState
    memory: StreamTensors


class CtcModel(Hearing, Protocol):
    """CTC model: audio to log-probabilities of tokens and languages, for whole utterances or chunk by chunk."""

    @property
    def vocabulary(self) -> Vocabulary:
        """Output vocabulary."""

    @property
    def writes_prefix(self) -> bool:
        """Whether the model emits language and task tokens before the words; prefix frames then come first in its
        output."""

    @property
    def identifies_languages(self) -> bool:
        """Whether the model identifies the spoken language."""

    @property
    def dim(self) -> int:
        """Dimension of frames."""

    @property
    def layers(self) -> int:
        """Number of encoder layers."""

    @property
    def log_mel(self) -> LogMel:
        """Log-mel feature extractor."""

    @property
    def subsampling(self) -> Subsampling:
        """Convolutional subsampling of the encoder."""

    @property
    def ctc(self) -> CTCHead:
        """CTC output head."""

    def features(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Convert `samples (batch, N)` at 16 kHz, `lengths (batch,)` to log-mel `(batch, T, bins)`, `(batch,)`."""

    def subsample(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Convert `samples (batch, N)`, `lengths (batch,)` to subsampled frames `(batch, T', dim)`, `(batch,)`."""

    def encode(
        self,
        features: Tensor,
        lengths: Tensor,
        prefix: Tensor,
        *,
        subsampled: bool = False,
        adapters: Tap | None = None,
    ) -> Encoded:
        """Encode whole utterances with full context.

        Args:
            features: log-mel `(batch, T, bins)`.
            lengths: real frames `(batch,)`.
            prefix: `(batch, 2)` ids of language (or `<nolang>`) and task.
            subsampled: `features` and `lengths` are outputs of `subsample`.
            adapters: tap of an `AdapterBank`.
        """

    def behind(self, x: Tensor, lengths: Tensor, prefix: Tensor) -> Encoded:
        """Encode whole utterances from `x (batch, T', dim)`, the output of the layers below the prefix."""

    def init_state(self, prefix: Tensor, chunk: ChunkSpec, *, adapters: Tap | None = None) -> CtcState:
        """Initial state of streams with `prefix (batch, 2)`."""

    def missing(self, state: CtcState, frames: int) -> int:
        """Feature frames needed before `frames` more subsampled frames can be computed."""

    def encode_step(
        self, features: Tensor, state: CtcState, chunk: ChunkSpec, *, adapters: Tap | None = None
    ) -> tuple[Tensor, CtcState]:
        """Encode `features (batch, t, bins)` of any length; returns frames `(batch, t', dim)` of completed chunks."""

    def read(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Log-probabilities, and language logits or None, of frames `(batch, t, dim)`."""


class LabelModel(Hearing, Protocol):
    """Encoder-decoder model: audio to frames, then next-token scores given the frames and previous tokens."""

    @property
    def max_frames(self) -> int:
        """Maximum encoder frames per input."""

    @property
    def true_length(self) -> bool:
        """Whether utterances need no padding; otherwise they must be padded with silence to `max_frames`."""

    @property
    def max_tokens(self) -> int:
        """Maximum tokens of a text with its prompt."""

    @property
    def alignment_heads(self) -> Sequence[tuple[int, int]]:
        """(layer, head) of cross-attention heads aligned to the audio, counted from 0."""

    @property
    def suppressed(self) -> Sequence[int]:
        """Tokens that are never written."""

    @property
    def suppressed_first(self) -> Sequence[int]:
        """Tokens that may not begin a text."""

    def encode(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Encode `samples (batch, N)` at 16 kHz, `lengths (batch,)` to frames `(batch, T, dim)`, `(batch,)`."""

    def lower(self, samples: Tensor, lengths: Tensor, layers: int) -> Halfway:
        """Run the convolutions and the lowest `layers` encoder layers; arguments as for `encode`."""

    def grow(self, samples: Tensor, whole: int, before: Grown | None) -> tuple[Tensor, Grown]:
        """Encode `samples (1, N)`, padded to `whole`, of an utterance that goes on, and of it only what has come since
        `before`: frames `(1, T, dim)`, and what the next call needs. Only for models of true length."""

    def upper(self, half: Halfway) -> tuple[Tensor, Tensor]:
        """Run the remaining encoder layers on the output of `lower`; returns the result of `encode`."""

    def begin(
        self, frames: Tensor, lengths: Tensor | None = None, before: DecoderState | None = None, kept: int = 0
    ) -> DecoderState:
        """Initial decoder state for `frames (utterances, T, dim)`; `lengths (utterances,)` are valid frames, None:
        all. The state `before` has the first `kept` frames already, so they are not projected again."""

    def step(
        self, tokens: Tensor, state: DecoderState, heads: Sequence[tuple[int, int]] = ()
    ) -> tuple[Tensor, DecoderState, Tensor | None]:
        """Process `tokens (rows, n)` after those of the state; `DecoderState.select` reorders its rows.

        Returns:
            `(rows, n, dim)` for `logits`, the next state, and cross-attention `(rows, heads, n, T)` of `heads`.
        """

    def asked(self, tokens: Tensor, state: DecoderState) -> Tensor:
        """Inputs of cross-attention `(rows, layers, n, dim)`, arguments as for `step`."""

    def logits(self, x: Tensor) -> Tensor:
        """Unnormalised next-token scores, float32 `(..., vocabulary)`, from `(..., dim)` of `step`."""


class Codec[Heard: tuple[object, ...], Said: tuple[object, ...]](Model, Protocol):
    """Audio codec, whole or streaming: consecutive pieces give the same result as the whole.

    `Heard` and `Said` are the encoder and decoder states, whose rows `speech.nn.streaming` selects and merges. Frame
    `t` of the codes comes with sample `(t + 1) * frame_samples`. The decoder says what the encoder heard
    `delay_samples` late, so a stream of audio ends with that much silence, filled up to a whole frame.
    """

    @property
    def sample_rate(self) -> int:
        """Sample rate in Hz."""

    @property
    def frame_samples(self) -> int:
        """Samples per frame of codes."""

    @property
    def delay_samples(self) -> int:
        """Samples at the beginning of what `decode_step` returns of a stream that precede the audio: drop them."""

    @property
    def codebooks(self) -> int:
        """Number of codebooks, that is, codes per frame."""

    @property
    def codebook_size(self) -> int:
        """Size of a codebook; codes are 0 .. `codebook_size` - 1."""

    def encode(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Encode `samples (batch, N)`, `lengths (batch,)` to codes `(batch, codebooks, T)` int64, and frame counts
        `(batch,)`."""

    def decode(self, codes: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Decode codes `(batch, codebooks, T)`, frame counts `(batch,)` to `samples (batch, N)`, `lengths (batch,)`:
        at least as many as were encoded."""

    def init_encoder(self, batch: int) -> Heard:
        """Initial encoder state."""

    def encode_step(self, samples: Tensor, state: Heard) -> tuple[Tensor, Heard]:
        """Encode `samples (batch, n)` of any length; returns codes `(batch, codebooks, t)` of completed frames."""

    def init_decoder(self, batch: int) -> Said:
        """Initial decoder state."""

    def decode_step(self, codes: Tensor, state: Said) -> tuple[Tensor, Said]:
        """Decode codes `(batch, codebooks, t)` of any length; returns samples `(batch, t * frame_samples)`, which
        later codes cannot change."""


class SpeechPrompt(NamedTuple):
    """What a speech language model reads before it speaks: its text, and before that the voice to imitate."""

    tokens: Tensor
    """`(n,)` ids: of texts, marks and frames."""
    codes: Tensor
    """`(codebooks, n)`: codes where the token is a frame; elsewhere they mean nothing."""
    speaker: Tensor | None = None
    """Embedding of the speaker `(dim,)`, for models that take one; None: any speaker."""


class SpeechLM[State: tuple[object, ...]](Model, Protocol):
    """Speech language model: text and codes to codes, frame by frame.

    Each row of a batch is a request of its own, whatever the others are; `speech.nn.streaming` selects the rows of a
    `State` and merges states, so requests come and go.
    """

    @property
    def codebooks(self) -> int:
        """Codes per frame."""

    @property
    def codebook_size(self) -> int:
        """Size of a codebook; codes are 0 .. `codebook_size` - 1."""

    @property
    def max_frames(self) -> int:
        """Maximum frames generated for one text."""

    def begin(self, prompts: Sequence[SpeechPrompt]) -> State:
        """Initial state of requests.

        Raises:
            ConfigError: if a prompt is too long to be followed by `max_frames`.
        """

    def step(self, state: State, choose: Callable[[Tensor, int], Tensor]) -> tuple[Tensor, Tensor, State]:
        """Generate the next frame.

        Args:
            state: from `begin` or the previous step.
            choose: samples tokens `(batch,)` from scores `(batch, n)`; its second argument tells whose history they
                belong to: -1 for what the model writes over time, where the last score ends the utterance, and
                the number of the codebook for all other codes, which depend on what was chosen before.

        Returns:
            Codes `(batch, codebooks)`, whether each row ended before them `(batch,)` bool, and the next state. Rows
            that ended are to be left out of the next step.
        """
