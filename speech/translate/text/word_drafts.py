"""Drafts of a text translator: which of their words are written while the source text still grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rapidfuzz.distance import Levenshtein

from speech.transcript import Word
from speech.translate.policy import Policy, TranslationDraft

_DRAFTS = 8
"""Maximum number of drafts that a policy compares."""


class WordDrafts:
    """The translations of one growing part. Each draft is a translation of the whole text so far.

    Attributes:
        written: words that have been written.
    """

    def __init__(self) -> None:
        self.written: list[Word] = []
        self._drafts: list[TranslationDraft] = []
        self._numbers: dict[str, int] = {}
        """Number of each word that has occurred, in place of a token."""

    def take(self, words: Sequence[Word], heard_s: float, policy: Policy) -> bool:
        """Write what a policy allows of a draft; returns whether that is any word.

        Args:
            words: of the draft.
            heard_s: seconds of the part that its source text covers.
            policy: takes a word for a token.
        """
        following = self._following(words)
        told = tuple(self._number(word) for word in self.written)
        tokens = tuple(self._number(word) for word in following)
        pieces = tuple(f" {word.text}".encode() for word in following)
        draft = TranslationDraft(heard_s, tokens, pieces, written=told, written_words=len(told))
        self._drafts = [*self._drafts[1 - _DRAFTS :], draft]
        count = policy.decide(self._drafts)
        self.written += following[:count]
        return count > 0

    def finish(self, words: Sequence[Word]) -> list[Word]:
        """All words of the complete part, of which `words` is a translation: what has been written, continued."""
        self.written += self._following(words)
        return self.written

    def _following(self, words: Sequence[Word]) -> list[Word]:
        """Words behind those written; none begins before these end."""
        cut = continuation([word.text for word in self.written], [word.text for word in words])
        until_s = self.written[-1].end_s if self.written else 0.0
        return [
            replace(word, start_s=max(word.start_s, until_s), end_s=max(word.end_s, until_s)) for word in words[cut:]
        ]

    def _number(self, word: Word) -> int:
        return self._numbers.setdefault(word.text, len(self._numbers))


def continuation(written: Sequence[str], words: Sequence[str]) -> int:
    """The index of the first word of a translation that continues what has been written before and is not taken back.

    A later translation may word differently what has been written. It is cut where its beginning needs the fewest
    changes of words to become what is written (Levenshtein distance). Of several such places, one behind the last word
    that is written is the best, then the one nearest to as many words as are written.
    """
    if not written:
        return 0
    costs = [Levenshtein.distance(written, words[:count]) for count in range(len(words) + 1)]

    def rank(count: int) -> tuple[int, bool, int]:
        return costs[count], count == 0 or words[count - 1] != written[-1], abs(count - len(written))

    return min(range(len(costs)), key=rank)
