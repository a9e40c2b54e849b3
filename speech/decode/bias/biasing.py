"""Phrases as a language model, for searches that accept one (`prefix_beam`)."""

from __future__ import annotations

from typing import Any

from speech.decode.bias.phrases import Phrases
from speech.decode.ctc.prefix_beam import LanguageModel


class BiasingScorer:
    """Adds phrase scores to another language model, if there is one; a `prefix_beam.LanguageModel`.

    Args:
        phrases: phrases to bias towards.
        scorer: base language model.
        scale: factor of phrase scores: the inverse of the search's language-model weight, so that boosts are in
            nats.
    """

    def __init__(self, phrases: Phrases, scorer: LanguageModel[Any] | None = None, *, scale: float = 1.0) -> None:
        self._phrases, self._scorer, self._scale = phrases, scorer, scale

    def start(self) -> tuple[Any, int]:
        """The language model's initial state, and the initial phrase state."""
        return self._scorer.start() if self._scorer else None, self._phrases.start

    def score(self, state: tuple[Any, int], token: int) -> tuple[tuple[Any, int], float]:
        """The state after `token`, and the score of `token`."""
        before, place = state
        following, score = self._scorer.score(before, token) if self._scorer else (None, 0.0)
        place, gain = self._phrases.score(place, token)
        return (following, place), score + self._scale * gain

    def finish(self, state: tuple[Any, int]) -> float:
        """The score of the end of the text."""
        end = self._scorer.finish(state[0]) if self._scorer else 0.0
        return end + self._scale * self._phrases.finish(state[1])
