"""A part encoded for the label decoder, and CTC's scores for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from speech.audio import SAMPLE_RATE
from speech.decode.label.joint import Spelling
from speech.decode.label.search import LabelSearch
from speech.decode.words.language_id import next_token_posterior
from speech.models.base import LabelModel
from speech.nn.decoder.label import DecoderState
from speech.nn.encoder.base import Halfway
from speech.text.normalize import plain_text
from speech.text.tokenizers.bpe import LabelTokenizer
from speech.text.tokenizers.sentencepiece import Tokenizer
from speech.text.vocabulary import WORD_START

TAIL_S = 0.2
"""Silence in seconds appended to a part: the last log-mel frames would otherwise lack their right half."""
_TOKENS_A_SECOND, _TOKENS_MORE = 6, 8
"""Maximum text length: tokens per second, plus a constant."""


@dataclass(frozen=True, slots=True)
class Judged:
    """CTC's scores for a part."""

    log_probs: np.ndarray
    """Log-probabilities `(T, vocabulary)`."""
    texts: tuple[str, ...]
    """CTC's likeliest texts."""
    tokenizer: Tokenizer
    """CTC's tokenizer."""
    frame_s: float
    """Seconds between CTC frames."""
    adapted: frozenset[str] = frozenset()
    """Languages with an adapter: CTC counts as having learnt them."""
    languages: tuple[str, ...] = ()
    """ISO 639-3 codes that words of the part may be in."""

    def mean(self, text: str, log_prob: float) -> float:
        """Average of a text's log-probability per CTC token of its spelling."""
        return log_prob / max(len(self.spell(text).ids), 1)

    def spell(self, text: str) -> Spelling:
        """See `joint.Speller`."""
        tokenizer, plain = self.tokenizer, plain_text(text)
        ids = tokenizer.encode(plain)
        known = tuple(token for token in ids if token != tokenizer.vocabulary.unk)
        unknown = 0
        if len(known) < len(ids):  # one <unk> may stand for many characters
            letters = len("".join(tokenizer.decode(known).split()))
            unknown = max(len("".join(plain.split())) - letters, 0)
            known = known if letters else ()
        return Spelling(known, unknown, bool(known) and tokenizer.piece(known[0]) == WORD_START)


class LabelPart:
    """One part with its label-decoder state; implements `search.LabelScorer`.

    Args:
        model: the label model.
        encoded: output of the lower encoder layers; the upper layers run on first use. Or of all layers `(1, T, dim)`.
        seconds: duration of the part.
        begun: the decoder's state before any token; None: it is made of the frames on first use.
    """

    def __init__(
        self, model: LabelModel, encoded: Halfway | Tensor, seconds: float, begun: DecoderState | None = None
    ) -> None:
        self._model, self._encoded, self.seconds, self._begun = model, encoded, seconds, begun
        self.most_tokens = int(_TOKENS_A_SECOND * seconds) + _TOKENS_MORE
        """Maximum tokens of a text of this duration."""
        self.started: tuple[int, Tensor, DecoderState] | None = None
        """The first token, the logits after it, and the decoder state."""
        self._told: tuple[tuple[int, ...], Tensor, DecoderState] | None = None
        """The last prompt with context, the logits after it, and the decoder state."""

    @classmethod
    @torch.inference_mode()
    def listen(cls, model: LabelModel, samples: np.ndarray, whole: int, layers: int = 0) -> LabelPart:
        """Encode a part `(n,)` at 16 kHz, padded with silence to `whole` samples, through the lowest `layers`
        layers."""
        padded = torch.from_numpy(np.pad(samples, (0, whole - len(samples)))).to(model.device)
        lower = model.lower(padded[None], torch.tensor([whole], device=model.device), layers)
        return cls(model, lower, len(samples) / SAMPLE_RATE)

    @property
    def lower(self) -> Halfway:
        """Output of the lower encoder layers of a part that `listen` has heard."""
        assert isinstance(self._encoded, Halfway)
        return self._encoded

    @cached_property
    def frames(self) -> Tensor:
        """Encoder output `(1, T, dim)`."""
        if isinstance(self._encoded, Tensor):
            return self._encoded
        with torch.inference_mode():
            return self._model.upper(self._encoded)[0]

    @cached_property
    def fresh(self) -> DecoderState:
        """Decoder state before any token; keys and values of the frames are projected once."""
        return self._model.begin(self.frames) if self._begun is None else self._begun

    def start(self, token: int) -> Tensor:
        """Logits `(vocabulary,)` after the first token; they give language and no-speech probabilities."""
        if self.started is not None and self.started[0] == token:
            return self.started[1]
        logits, state = self._advance([token], self.fresh)
        self.started = token, logits[0], state
        return logits[0]

    @torch.inference_mode()
    def no_speech(self, tokenizer: LabelTokenizer) -> float:
        """No-speech probability."""
        return float(self.start(tokenizer.start).float().softmax(dim=0)[tokenizer.no_speech])

    @torch.inference_mode()
    def languages(self, tokenizer: LabelTokenizer) -> Mapping[str, float]:
        """Posterior over the decoder's languages."""
        logits = self.start(tokenizer.start)
        shares = next_token_posterior(logits, list(tokenizer.languages.values())).tolist()
        return dict(zip(tokenizer.languages, shares, strict=True))

    def begin(self, prompt: Sequence[int]) -> tuple[Tensor, DecoderState]:
        if self.started is not None and self.started[0] == prompt[0]:
            return self._advance(prompt[1:], self.started[2])
        if self._told is None or self._told[0] != tuple(prompt):
            self._told = tuple(prompt), *self._advance(prompt, self.fresh)
        return self._told[1:]

    def _advance(self, tokens: Sequence[int], state: DecoderState) -> tuple[Tensor, DecoderState]:
        x, state, _ = self._model.step(torch.tensor([list(tokens)], device=self.frames.device), state)
        return self._model.logits(x[:, -1]), state

    def step(self, tokens: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        x, state, _ = self._model.step(tokens[:, None], state)
        return self._model.logits(x[:, -1]), state

    def select(self, state: DecoderState, rows: Tensor) -> DecoderState:
        return state.select(rows)

    def attended(
        self, state: DecoderState, tokenizer: LabelTokenizer, prompt: Sequence[int], tokens: Sequence[int]
    ) -> tuple[Tensor, list[float], list[bytes]]:
        """Cross-attention of the decoder over given tokens.

        Args:
            state: decoder state before the prompt.
            tokenizer: the decoder's.
            prompt: tokens before the text.
            tokens: tokens of the text.

        Returns:
            Attention of the alignment heads `(heads, tokens + 1, T)`, the end included; each token's probability;
            each token's piece.
        """
        rows, before = torch.tensor([[*prompt, *tokens]], device=self.frames.device), len(prompt) - 1
        x, _, attention = self._model.step(rows, state, self._model.alignment_heads)
        assert attention is not None
        chances = self._model.logits(x[0, before:-1]).float().softmax(dim=-1)
        chance = chances.gather(1, rows[0, before + 1 :, None])[:, 0].tolist()
        return attention[0, :, before:], chance, [tokenizer.piece(token) for token in tokens]

    def log_probs(self, prompt: Sequence[int], texts: Sequence[Sequence[int]], search: LabelSearch) -> list[float]:
        """Log-probabilities of given texts including the end token, scored like search hypotheses, in one batch."""
        longest, end = max(map(len, texts)), search.end
        rows = torch.full((len(texts), len(prompt) + longest), end, device=self.frames.device)
        rows[:, : len(prompt)] = torch.tensor(list(prompt))
        for row, text in zip(rows, texts, strict=True):
            row[len(prompt) : len(prompt) + len(text)] = torch.tensor(list(text))
        state = self.fresh
        x, _, _ = self._model.step(rows, state)
        logits = self._model.logits(x[:, len(prompt) - 1 :])
        parts = [search.log_probs(logits[:, :1], first=True), search.log_probs(logits[:, 1:], first=False)]
        following = torch.nn.functional.pad(rows[:, len(prompt) :], (0, 1), value=end)
        chances = torch.cat(parts, dim=1).gather(2, following[..., None])[..., 0]
        plain = logits.log_softmax(dim=-1).gather(2, following[..., None])[..., 0]
        chances = torch.where(chances.isinf(), plain, chances)  # the search would have used other tokens
        return [sum(row[: len(text) + 1].tolist()) for row, text in zip(chances, texts, strict=True)]


def search_with(model: LabelModel, tokenizer: LabelTokenizer, beam: int) -> LabelSearch:
    """Create a search for text without timestamps that suppresses the model's forbidden tokens."""
    return LabelSearch(
        end=tokenizer.end,
        first_timestamp=tokenizer.first_timestamp,
        forbidden=frozenset({*model.suppressed, *tokenizer.specials} - {tokenizer.end}),
        forbidden_first=frozenset({*model.suppressed_first, tokenizer.end}),
        beam=beam,
    )
