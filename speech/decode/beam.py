"""Prefix beam search as a decoder of frames: texts from the search, times from their alignment."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from speech.decode.forced_alignment import align
from speech.decode.frames import Frames
from speech.decode.greedy import TokenSpan
from speech.decode.lexicon import Lexicon, WithWords
from speech.decode.prefix_beam import LanguageModel, prefix_beam


@dataclass(frozen=True, kw_only=True, slots=True)
class BeamDecoder:
    """Called like `greedy`; slower, and better where a language model knows the domain."""

    beam: int = 8
    """Texts kept after each frame."""
    top_k: int = 12
    """Tokens tried in each frame."""
    least: float = -5.0
    """Log-probability below which a token is not tried."""
    scorer: LanguageModel[Any] | None = None
    """Language model over tokens, such as `prefix_beam.KenLm`."""
    lexicon: Lexicon | None = None
    """Words, where it knows those of all languages that may be spoken; beside a language model only."""
    pieces: Sequence[str] = ()
    """Piece of each token; needed with a lexicon."""
    weight: float = 0.4
    """Of the language model."""
    bonus: float = 0.6
    """For each token, against the language model's liking for short texts; not used without one."""

    def __call__(
        self, frames: Frames, *, blank: int = 0, forbidden: Collection[int] = (), languages: Sequence[str] = ()
    ) -> list[list[TokenSpan]]:
        """Token spans of each utterance, which is in some of `languages`; tokens in `forbidden` cannot be said."""
        scorer = self._scorer(languages)
        return [self._decode(frames.select(row), blank, forbidden, scorer) for row in range(len(frames.lengths))]

    def _scorer(self, languages: Sequence[str]) -> LanguageModel[Any] | None:
        if self.scorer is None or self.lexicon is None or not self.lexicon.covers(languages):
            return self.scorer
        return WithWords(self.scorer, self.lexicon, languages, self.pieces)

    def _decode(
        self, log_probs: torch.Tensor, blank: int, forbidden: Collection[int], scorer: LanguageModel[Any] | None
    ) -> list[TokenSpan]:
        if not len(log_probs):
            return []
        if forbidden:
            log_probs = log_probs.clone()
            log_probs[:, torch.tensor(sorted(forbidden), device=log_probs.device)] = -torch.inf
        best = prefix_beam(
            log_probs,
            beam=self.beam,
            top_k=self.top_k,
            least=self.least,
            blank=blank,
            scorer=scorer,
            weight=self.weight if scorer is not None else 0.0,
            bonus=self.bonus if scorer is not None else 0.0,
        )[0]
        return align(log_probs, best.ids, blank).spans
