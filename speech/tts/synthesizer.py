"""What a voice is asked for: phonemes in, samples and the times of phonemes out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple, Protocol

from torch import Tensor


class SaidSymbols(NamedTuple):
    """The next samples of an utterance."""

    samples: Tensor
    """`(n,)` float32, within full scale; none where the utterance has only been prepared further, so that others may
    take their turns."""
    spans_s: Sequence[tuple[float, float]]
    """Where each further symbol begins and ends, in seconds from the beginning of the utterance; they may lie behind
    `samples`."""


class Synthesizer(Protocol):
    """Says phonemes, in any thread. One utterance knows nothing of others."""

    @property
    def sample_rate(self) -> int:
        """Hz."""

    @property
    def alphabet(self) -> frozenset[str]:
        """Symbols that it can say; others are left out by the caller."""

    @property
    def max_symbols(self) -> int:
        """Maximum symbols of an utterance."""

    @property
    def voices(self) -> Sequence[str]:
        """Names of voices, one or more."""

    @property
    def cloned(self) -> Collection[str]:
        """Those of `voices` that imitate somebody by a recording."""

    @property
    def blends(self) -> bool:
        """Whether it can say texts in blends of voices."""

    @property
    def together(self) -> int:
        """Utterances that it says at once for less than one after the other; 1: they had better take turns."""

    def voice_for(self, language: str) -> str:
        """The default voice of a language (ISO 639-3)."""

    def language_of(self, voice: str) -> str:
        """The language (ISO 639-3) that one of `voices` was taught."""

    def say(
        self, symbols: str, voice: str, *, language: str, rate: float, seed: int, soon: bool = True
    ) -> Iterator[SaidSymbols]:
        """Say an utterance.

        Args:
            symbols: between 1 and `max_symbols` of `alphabet`.
            voice: one of `voices`; or, if it `blends`, several of them as `read_blend` reads them.
            language: ISO 639-3, that of the words.
            rate: speed relative to the voice's own; the pitch stays.
            seed: the same seed gives the same samples.
            soon: whether the first samples are wanted soon, as at the beginning of a text; where others are heard
                before them, larger pieces may cost less. It may change samples by what sums of floats do.

        Returns:
            Pieces as they are ready. All together have one span for each symbol, and these never go back.

        Raises:
            LanguageError: if the voices do not speak the language.
        """


def uncloned(voices: Sequence[str], cloned: Collection[str]) -> Sequence[str]:
    """The voices that may stand for a language: those that are not cloned, or all if there are no others."""
    return [name for name in voices if name not in cloned] or voices
