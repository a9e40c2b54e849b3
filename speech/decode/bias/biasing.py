"""Phrases as a language model, for searches that take one (`prefix_beam`)."""

from __future__ import annotations

from typing import Any

from speech.decode.bias.phrases import Phrases
from speech.decode.ctc.prefix_beam import LanguageModel


class BiasingScorer:
    """Adds what phrases earn to the scores of another language model, or to none; a `prefix_beam.LanguageModel`.

    Args:
        phrases: to prefer.
        scorer: language model whose scores are added to.
        scale: of what phrases earn: one over the search's weight of the language model, for boosts to be in nats.
    """

    def __init__(self, phrases: Phrases, scorer: LanguageModel[Any] | None = None, *, scale: float = 1.0) -> None:
        self._phrases, self._scorer, self._scale = phrases, scorer, scale

    def start(self) -> tuple[Any, int]:
        """The state of the language model, and where in the phrases the text is."""
        return self._scorer.start() if self._scorer else None, self._phrases.start

    def score(self, state: tuple[Any, int], token: int) -> tuple[tuple[Any, int], float]:
        """The state after `token`, and what it adds."""
        before, place = state
        following, score = self._scorer.score(before, token) if self._scorer else (None, 0.0)
        place, gain = self._phrases.score(place, token)
        return (following, place), score + self._scale * gain

    def finish(self, state: tuple[Any, int]) -> float:
        """What the end of the text adds."""
        end = self._scorer.finish(state[0]) if self._scorer else 0.0
        return end + self._scale * self._phrases.finish(state[1])
