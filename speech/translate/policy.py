"""Simultaneous translation: a policy says how much of a draft may be written before more audio is read.

A part is read again and again while it grows. Each time the decoder continues the text that has been written and
proposes a draft; the policy says how many of its tokens are written, and what is written is never taken back. Policies
are pure: they know neither clock nor model, and the same object decides for live sessions, files and scoring.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from speech.transcript import Toxicity


@dataclass(frozen=True, slots=True)
class TranslationDraft:
    """The continuation that a decoder proposes for a part that still grows."""

    heard_s: float
    """Seconds of the part so far."""
    tokens: tuple[int, ...]
    """Behind those that have been written."""
    pieces: tuple[bytes, ...]
    """UTF-8 bytes of each token; a space begins a word."""
    ended: bool = False
    """Whether the decoder ends its text behind them."""
    attended_s: tuple[float, ...] = ()
    """Of each token, seconds of the part at which its cross-attention is highest."""
    chances: tuple[float, ...] = ()
    """Probability of each token."""
    write: tuple[float, ...] = ()
    """Of each token, the probability that it may be written now, by a trained policy; empty if there is none."""
    written: tuple[int, ...] = ()
    """Tokens of the part that have been written."""
    written_words: int = 0
    """Number of their words."""
    toxicity: Toxicity | None = None
    """Toxic words that have been kept out of the draft."""

    def begins_word(self, place: int) -> bool:
        """Whether the token at a place begins a word."""
        return self.pieces[place].startswith(b" ")


class Policy(Protocol):
    """Decides between reading on and writing."""

    def decide(self, drafts: Sequence[TranslationDraft]) -> int:
        """How many of the newest draft's tokens to write; 0: read on.

        Args:
            drafts: of the part so far, the newest last; at least one.
        """


def whole_words(draft: TranslationDraft, count: int) -> int:
    """At most `count` tokens of a draft, cut to whole words.

    A word is whole if the next token begins another one. The last word of a draft is held back: more audio may change
    its ending, and the full stop behind it.
    """
    count = min(count, len(draft.tokens))
    while count and (count == len(draft.tokens) or not draft.begins_word(count)):
        count -= 1
    return count
