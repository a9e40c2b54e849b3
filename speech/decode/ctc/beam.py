"""CTC prefix beam search as a decoder: text from the search, timestamps from alignment."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from speech.decode.bias.biasing import BiasingScorer
from speech.decode.bias.phrases import Phrases
from speech.decode.ctc.compiled_beam import BeamSearch, SearchConfig
from speech.decode.ctc.frames import CtcFrames, without
from speech.decode.ctc.greedy import TokenSpan
from speech.decode.ctc.prefix_beam import Hypothesis, LanguageModel, prefix_beam
from speech.decode.lm.lexicon import Lexicon, LexiconScorer
from speech.decode.lm.ngram import TokenNgram
from speech.decode.words.alignment import align
from speech.errors import ConfigError

_LEAST_OF_PHRASES = -8.0


@dataclass(frozen=True, kw_only=True, slots=True)
class BeamDecoder:
    """Beam search decoder, called like `greedy`; slower, but more accurate if a language model fits the domain."""

    beam: int = 8
    """Beam size: texts kept after each frame."""
    top_k: int = 12
    """Maximum tokens tried per frame."""
    least: float = -5.0
    """Minimum log-probability of a token to be tried."""
    scorer: LanguageModel[Any] | None = None
    """Language model over tokens, such as `prefix_beam.KenLm`."""
    lexicon: Lexicon | None = None
    """Word lexicon, used with a language model only, and only if it covers all languages that may be spoken."""
    pieces: Sequence[str] = ()
    """Piece of each token; needed with a lexicon."""
    weight: float = 0.4
    """Weight of the language model."""
    bonus: float = 0.6
    """Score added per token, to offset the language model's preference for short texts; unused without one."""
    phrases: Phrases | None = None
    """Phrases to bias towards, with or without a language model."""

    def __call__(
        self, frames: CtcFrames, *, blank: int = 0, forbidden: Collection[int] = (), languages: Sequence[str] = ()
    ) -> list[list[TokenSpan]]:
        """Token spans of each utterance, which is in some of `languages`; tokens in `forbidden` are never emitted."""
        return [self._decode(frames.select(row), blank, forbidden, languages) for row in range(len(frames.lengths))]

    def _decode(
        self, log_probs: torch.Tensor, blank: int, forbidden: Collection[int], languages: Sequence[str]
    ) -> list[TokenSpan]:
        if not len(log_probs):
            return []
        log_probs = without(log_probs, forbidden)
        return align(log_probs, self._best(log_probs, blank, languages).ids, blank).spans

    def nbest(
        self, log_probs: torch.Tensor, forbidden: Collection[int] = (), languages: Sequence[str] = (), blank: int = 0
    ) -> list[tuple[list[TokenSpan], float]]:
        """Token spans of all texts left in the beam for one utterance `(T, vocabulary)`, from likely to unlikely, with
        their posteriors among each other. The first equals the result of a call."""
        log_probs = without(log_probs, forbidden)
        found = self._found(log_probs, blank, languages)
        shares = torch.tensor([one.score for one in found], dtype=torch.float64).softmax(dim=0).tolist()
        return [(align(log_probs, one.ids, blank).spans, share) for one, share in zip(found, shares, strict=True)]

    def preferring(self, phrases: Phrases | None) -> BeamDecoder:
        """The decoder with phrases. It tries more tokens per frame, since those of phrases may be unlikely.

        Raises:
            ConfigError: if an external language model has weight 0, which would disable the phrases too.
        """
        if not self.ours and not self.weight:
            raise ConfigError("phrases beside a language model of weight 0", fix="Leave the language model out.")
        return replace(self, phrases=phrases, least=min(self.least, _LEAST_OF_PHRASES))

    @property
    def ours(self) -> bool:
        """Whether `search` is available: with our own language model, or with none."""
        return self.scorer is None or isinstance(self.scorer, TokenNgram)

    def search(self, languages: Sequence[str], blank: int = 0) -> BeamSearch:
        """Create a frame-synchronous search.

        Raises:
            ConfigError: with an external language model.
        """
        if self.scorer is not None and not isinstance(self.scorer, TokenNgram):
            raise ConfigError("this language model is not one of ours", fix="Use prefix_beam.")
        return BeamSearch(
            self._config(blank), self.scorer, self._lexicon(languages), languages, self.pieces, self.phrases
        )

    def _config(self, blank: int) -> SearchConfig:
        scored = self.scorer is not None
        return SearchConfig(
            beam=self.beam, top_k=self.top_k, least=self.least, blank=blank,
            weight=self.weight if scored else 0.0, bonus=self.bonus if scored else 0.0,
        )  # fmt: skip

    def _lexicon(self, languages: Sequence[str]) -> Lexicon | None:
        return self.lexicon if self.lexicon is not None and self.lexicon.covers(languages) else None

    def _best(self, log_probs: torch.Tensor, blank: int, languages: Sequence[str]) -> Hypothesis:
        if self.ours:
            return self._searched(log_probs, blank, languages).best()[0]
        return self._found(log_probs, blank, languages)[0]

    def _searched(self, log_probs: torch.Tensor, blank: int, languages: Sequence[str]) -> BeamSearch:
        search = self.search(languages, blank)
        search.advance(search.config.tried(log_probs))
        return search

    def _found(self, log_probs: torch.Tensor, blank: int, languages: Sequence[str]) -> list[Hypothesis]:
        if self.ours:
            return self._searched(log_probs, blank, languages).nbest()
        config, lexicon, scorer = self._config(blank), self._lexicon(languages), self.scorer
        if lexicon is not None and scorer is not None:
            known = () if self.phrases is None else self.phrases.words
            scorer = LexiconScorer(scorer, lexicon, languages, self.pieces, known)
        if self.phrases is not None:
            scorer = BiasingScorer(self.phrases, scorer, scale=1 / self.weight)
        return prefix_beam(log_probs, scorer=scorer, **asdict(config))
