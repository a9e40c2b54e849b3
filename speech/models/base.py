"""What models are known by: those who stream, decode, export or serve name these Protocols and no class of a model."""

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
from speech.nn.encoder.base import EncoderState, Halfway, Tap
from speech.nn.encoder.subsampling import Subsampling
from speech.nn.linears import Network
from speech.nn.streaming import StreamTensors
from speech.text.vocabulary import Vocabulary


class Model(Network, Protocol):
    """What every model says of itself."""

    @property
    def device(self) -> torch.device:
        """On which it computes."""

    @property
    def dtype(self) -> torch.dtype:
        """Numbers of its frames; linear layers may lie in fewer bits."""

    @property
    def frame_s(self) -> float:
        """Seconds from one of its frames to the next."""

    @property
    def parameter_count(self) -> int:
        """As it was trained, in whatever numbers they lie."""


class Hearing(Model, Protocol):
    """A model that is given samples."""

    @property
    def live(self) -> Live:
        """Whether it hears chunk by chunk, or whole parts alone."""


class Encoded(NamedTuple):
    """Frames before the CTC head."""

    x: Tensor
    """(batch, T', dim); where the model `writes_prefix`, the prefix frames come first."""
    lengths: Tensor
    """(batch,)"""
    intermediate: list[Tensor]
    """Log-probabilities of the intermediate outputs, from below; empty where not asked for."""
    language_logits: Tensor | None
    """(batch, T', languages), or None."""


class CtcState(NamedTuple):
    """Live streams: the encoder's state and the prompt; `speech.nn.streaming` picks and joins them."""

    encoder: EncoderState
    memory: StreamTensors


class CtcModel(Hearing, Protocol):
    """Samples -> frames -> log-probabilities of tokens and languages, of whole utterances or chunk by chunk."""

    @property
    def vocabulary(self) -> Vocabulary:
        """What it writes."""

    @property
    def writes_prefix(self) -> bool:
        """Whether it writes language and task before the words: frames of the prefix come first in what it says."""

    @property
    def identifies_languages(self) -> bool:
        """Whether it tells which language is spoken."""

    @property
    def dim(self) -> int:
        """Width of its frames."""

    @property
    def layers(self) -> int:
        """Of the encoder."""

    @property
    def log_mel(self) -> LogMel:
        """What it hears."""

    @property
    def subsampling(self) -> Subsampling:
        """What makes frames of it."""

    @property
    def ctc(self) -> CTCHead:
        """What makes log-probabilities of frames."""

    def features(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """`samples (batch, N)` at 16 kHz, `lengths (batch,)` to log-mel `(batch, T, bins)`, `(batch,)`."""

    def subsample(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """`samples (batch, N)`, `lengths (batch,)` to frames of the convolutions `(batch, T', dim)`, `(batch,)`."""

    def encode(
        self,
        features: Tensor,
        lengths: Tensor,
        prefix: Tensor,
        *,
        subsampled: bool = False,
        adapters: Tap | None = None,
    ) -> Encoded:
        """Whole utterances, with full context.

        Args:
            features: `(batch, T, bins)` log-mel, `lengths (batch,)`.
            prefix: `(batch, 2)` ids of language (or `<nolang>`) and task.
            subsampled: `features` are what `subsample` makes of them, and `lengths` theirs.
            adapters: of an `AdapterBank`.
        """

    def behind(self, x: Tensor, lengths: Tensor, prefix: Tensor) -> Encoded:
        """Whole utterances, from what the layers below the prefix have made of them, `x (batch, T', dim)`, on."""

    def init_state(self, prefix: Tensor, chunk: ChunkSpec, *, adapters: Tap | None = None) -> CtcState:
        """Streams that start with `prefix (batch, 2)`."""

    def missing(self, state: CtcState, frames: int) -> int:
        """Feature frames that streams wait for before `frames` more of the convolutions can be seen."""

    def encode_step(
        self, features: Tensor, state: CtcState, chunk: ChunkSpec, *, adapters: Tap | None = None
    ) -> tuple[Tensor, CtcState]:
        """`features (batch, t, bins)`, any `t`, to frames `(batch, t', dim)` of the chunks that they complete."""

    def read(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Log-probabilities, and language logits if it has them, of frames `(batch, t, dim)`."""


class LabelModel(Hearing, Protocol):
    """Samples -> frames; frames and the tokens so far -> scores of the next token."""

    @property
    def max_frames(self) -> int:
        """That it hears at once."""

    @property
    def true_length(self) -> bool:
        """Whether it writes utterances as they are; otherwise silence has to fill `max_frames`."""

    @property
    def max_tokens(self) -> int:
        """Of a text with its prompt."""

    @property
    def alignment_heads(self) -> Sequence[tuple[int, int]]:
        """(layer, head) of cross-attention that follows what is said, from 0."""

    @property
    def suppressed(self) -> Sequence[int]:
        """Tokens that are never written."""

    @property
    def suppressed_first(self) -> Sequence[int]:
        """Tokens that no text begins with."""

    def encode(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """`samples (batch, N)` at 16 kHz, `lengths (batch,)` to frames `(batch, T, dim)`, `(batch,)`."""

    def lower(self, samples: Tensor, lengths: Tensor, layers: int) -> Halfway:
        """What the convolutions and the lowest `layers` make of samples; arguments are those of `encode`."""

    def upper(self, half: Halfway) -> tuple[Tensor, Tensor]:
        """What `encode` says, from `lower` on."""

    def begin(self, frames: Tensor, lengths: Tensor | None = None) -> DecoderState:
        """Nothing written yet of `frames (utterances, T, dim)`; `lengths (utterances,)` are real, None: all."""

    def step(
        self, tokens: Tensor, state: DecoderState, heads: Sequence[tuple[int, int]] = ()
    ) -> tuple[Tensor, DecoderState, Tensor | None]:
        """`tokens (rows, n)` behind those of the state, whose rows `DecoderState.select` reorders.

        Returns:
            `(rows, n, dim)` for `logits`, the next state, and cross-attention of `heads`, `(rows, heads, n, T)`.
        """

    def logits(self, x: Tensor) -> Tensor:
        """`(..., dim)` of `step` to float32 `(..., vocabulary)`: unnormalised scores of what follows."""


class Codec[Heard: tuple[object, ...], Said: tuple[object, ...]](Model, Protocol):
    """Samples <-> codes, whole or piece by piece: pieces in a row give what the whole gives.

    `Heard` and `Said` are the states of either way, which `speech.nn.streaming` picks and joins.
    """

    @property
    def sample_rate(self) -> int:
        """Hz."""

    @property
    def codebooks(self) -> int:
        """Codes of a frame."""

    @property
    def codes(self) -> int:
        """That a codebook has: 0 .. `codes` - 1."""

    def encode(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """`samples (batch, N)`, `lengths (batch,)` to codes `(batch, codebooks, T)` int64, and frames `(batch,)`."""

    def decode(self, codes: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Codes `(batch, codebooks, T)`, frames `(batch,)` of each to `samples (batch, N)`, `lengths (batch,)`."""

    def init_encoder(self, batch: int) -> Heard:
        """Streams of which nothing has been encoded."""

    def encode_step(self, samples: Tensor, state: Heard) -> tuple[Tensor, Heard]:
        """`samples (batch, n)`, any `n`, to codes `(batch, codebooks, t)` of the frames that they complete."""

    def init_decoder(self, batch: int) -> Said:
        """Streams of which nothing has been decoded."""

    def decode_step(self, codes: Tensor, state: Said) -> tuple[Tensor, Said]:
        """Codes `(batch, codebooks, t)`, any `t`, to the samples `(batch, n)` that no later code changes."""


class SpeechLM[State: tuple[object, ...]](Model, Protocol):
    """Text, and codes of a voice -> codes, frame by frame; `State` as of `Codec`."""

    @property
    def codebooks(self) -> int:
        """Codes of a frame."""

    @property
    def max_frames(self) -> int:
        """Of what it says behind one text."""

    def begin(self, text: Tensor, lengths: Tensor, voice: Tensor | None = None) -> State:
        """Nothing said yet of `text (batch, n)`, of which `lengths (batch,)` tokens are real.

        Args:
            text: token ids.
            lengths: of each text.
            voice: codes `(batch, codebooks, T)` of who is to say it; None: the model's own.
        """

    def step(self, state: State, choose: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor, State]:
        """The next frame.

        Args:
            state: of `begin`, or of the frame before.
            choose: scores `(batch, codes)` of one codebook to codes `(batch,)`, by which the next one's are made.

        Returns:
            Codes `(batch, codebooks)`, whether each has ended before them `(batch,)` bool, and the next state.
        """
