"""Prefix beam search as a decoder of frames: texts from the search, times from their alignment."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from speech.decode.compiled_beam import compiled_beam
from speech.decode.forced_alignment import align
from speech.decode.frames import Frames
from speech.decode.greedy import TokenSpan
from speech.decode.lexicon import Lexicon, WithWords
from speech.decode.prefix_beam import Hypothesis, LanguageModel, prefix_beam
from speech.decode.token_ngram import TokenNgram


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
        return [self._decode(frames.select(row), blank, forbidden, languages) for row in range(len(frames.lengths))]

    def _decode(
        self, log_probs: torch.Tensor, blank: int, forbidden: Collection[int], languages: Sequence[str]
    ) -> list[TokenSpan]:
        if not len(log_probs):
            return []
        if forbidden:
            log_probs = log_probs.clone()
            log_probs[:, torch.tensor(sorted(forbidden), device=log_probs.device)] = -torch.inf
        return align(log_probs, self._best(log_probs, blank, languages).ids, blank).spans

    def _best(self, log_probs: torch.Tensor, blank: int, languages: Sequence[str]) -> Hypothesis:
        weight, bonus = (self.weight, self.bonus) if self.scorer is not None else (0.0, 0.0)
        lexicon = self.lexicon if self.lexicon is not None and self.lexicon.covers(languages) else None
        if self.scorer is None or isinstance(self.scorer, TokenNgram):
            return compiled_beam(
                log_probs, beam=self.beam, top_k=self.top_k, least=self.least, blank=blank, scorer=self.scorer,
                weight=weight, bonus=bonus, lexicon=lexicon, languages=languages, pieces=self.pieces,
            )  # fmt: skip
        scorer = WithWords(self.scorer, lexicon, languages, self.pieces) if lexicon is not None else self.scorer
        return prefix_beam(
            log_probs, beam=self.beam, top_k=self.top_k, least=self.least, blank=blank, scorer=scorer,
            weight=weight, bonus=bonus,
        )[0]  # fmt: skip
