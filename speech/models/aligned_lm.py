"""What aligned speech language models are known by: prompts, and frames of symbols; see `AlignedLM`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from torch import Tensor

from speech.models.base import Model


class Turn(Enum):
    """What comes next in a text that is said."""

    frame = "frame"
    """A frame: its symbol is known."""
    symbols = "symbols"
    """More symbols must arrive, or the end of the text."""
    end = "end"
    """All symbols have been said."""


class AlignedVoice(NamedTuple):
    """A voice to imitate: some seconds of its speech, and which symbol each frame says."""

    symbols: Sequence[int]
    frame_counts: Sequence[int]
    """Number of frames of each symbol."""
    codes: Tensor
    """`(codebooks, frames)` int64."""
    language: int | None = None


class AlignedPrompt(NamedTuple):
    """What an aligned speech language model says: the first symbols of a text, or all of them."""

    symbols: Sequence[int]
    """Tokens."""
    language: int | None = None
    """Token of the language, for models that are told it."""
    frames: Sequence[float] | None = None
    """Duration of each symbol in frames, which need not be whole; None: the model predicts them."""
    rate: float = 1.0
    """Speaking rate: durations are divided by it."""
    ended: bool = True
    """Whether these are all symbols, so that no others follow by `AlignedLM.extend`."""
    speaker: Tensor | None = None
    """As in `SpeechPrompt`."""
    voice: AlignedVoice | None = None


class SymbolFrames(NamedTuple):
    """Which frames say which symbols: those of symbol n are `first_frames[n]` to `first_frames[n] + frame_counts[n]`.
    Symbols whose turn has not come are missing."""

    first_frames: tuple[int, ...]
    frame_counts: tuple[int, ...]


class AlignedLM[State: tuple[object, ...]](Model, Protocol):
    """Speech language model that is told which symbol the next frame says, and ends where the symbols do.

    Rows of a batch are requests of their own, as for `SpeechLM`; their symbols may arrive piece by piece.
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

    @property
    def look_ahead(self) -> int:
        """Number of symbols that must follow a symbol before it is said, unless the text has ended."""

    def begin(self, prompts: Sequence[AlignedPrompt]) -> State:
        """Initial state of requests.

        Raises:
            ConfigError: if a prompt does not fit the model.
        """

    def extend(
        self, state: State, row: int, symbols: Sequence[int], frames: Sequence[float] | None = None, ended: bool = False
    ) -> State:
        """Append symbols to the text of a row; arguments as in `AlignedPrompt`.

        Raises:
            ConfigError: if the text has ended, or a duration is missing or negative.
        """

    def turns(self, state: State) -> list[Turn]:
        """What comes next in each row."""

    def said(self, state: State) -> list[SymbolFrames]:
        """Frames of the symbols of each row so far, those that are to come of the current symbol included."""

    def step(self, state: State, choose: Callable[[Tensor, int], Tensor]) -> tuple[Tensor, State]:
        """Generate the next frame of rows whose turn is `Turn.frame`.

        Args:
            state: of such rows alone; `speech.nn.streaming` selects and merges them.
            choose: samples codes `(batch,)` of a codebook, whose number is given, from scores `(batch, n)`.

        Returns:
            Codes `(batch, codebooks)` and the next state.
        """
