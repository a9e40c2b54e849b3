"""Greedy and beam search with a label decoder, for one utterance; its hypotheses form one batch."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from speech.compiled import load
from speech.decode.ctc.frames import token_index
from speech.decode.label.banned import BannedSequences
from speech.decode.label.ctc_score import KERNELS
from speech.decode.label.phrases import PhraseScorer

_LOOP = 27
"""Maximum length of a repeated token sequence to detect."""
_SHORT = 3
"""Sequences shorter than this, such as "no no no", count as loops after five repetitions; others after three."""
_NEVER = -1e30
"""Logit penalty of a token that may not be written."""


class LabelScorer(Protocol):
    """A label decoder bound to one utterance."""

    def begin(self, prompt: Sequence[int]) -> tuple[Tensor, Any]:
        """Logits `(1, vocabulary)` after the prompt, and the decoder state."""

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Logits `(rows, vocabulary)` after `tokens (rows,)`, and the next state."""

    def select(self, state: Any, rows: Tensor) -> Any:
        """The state of the given hypotheses `rows (n,)`."""


@dataclass(frozen=True, slots=True)
class LabelHypothesis:
    """A hypothesis found by a search."""

    tokens: tuple[int, ...]
    """Tokens without prompt and end."""
    score: float
    """Log-probability, including the end token if the text has ended."""
    ended: bool
    """False if decoding was stopped by the length limit or a loop."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelSearch:
    """Search parameters, and the search itself."""

    end: int
    """Token that ends a text."""
    first_timestamp: int
    """First timestamp token; it and all later tokens are never written."""
    forbidden: Collection[int] = ()
    """Tokens that are never written."""
    forbidden_first: Collection[int] = ()
    """Tokens that may not begin a text."""
    beam: int = 5
    """Beam size; 1 is greedy."""
    banned: BannedSequences | None = None
    """Token sequences that no text may contain. They keep their probability, as in MinTox: a hypothesis whose likely
    continuation is banned becomes less likely than others."""

    def __call__(
        self, scores: LabelScorer, prompt: Sequence[int], most: int, bias: PhraseScorer | None = None
    ) -> list[LabelHypothesis]:
        """Texts of at most `most` tokens, from likely to unlikely: at least one, at most twice the beam size.

        `bias` adds phrase scores to the ranking; the returned scores exclude them.
        """
        logits, state = scores.begin(prompt)
        live: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
        found: list[LabelHypothesis] = []
        for length in range(most + 1):
            kept = self._extended(live, logits, length == 0, found, bias)
            if length == most:
                ended = {one.tokens for one in found}
                found += [LabelHypothesis(tokens, score, False) for score, tokens in live if tokens not in ended]
                break
            found += [LabelHypothesis(tokens, score, False) for score, tokens, _ in kept if repeats(tokens)]
            kept = [one for one in kept if not repeats(one[1])]
            if not kept or sum(one.ended for one in found) >= self.beam:
                break
            rows = [row for _, _, row in kept]
            if rows != list(range(len(live))):
                state = scores.select(state, torch.tensor(rows, device=logits.device))
            live = [(score, tokens) for score, tokens, _ in kept]
            last = torch.tensor([tokens[-1] for _, tokens in live], device=logits.device)
            logits, state = scores.step(last, state)
        if not found:  # every continuation is banned
            found = [LabelHypothesis(tokens, score, False) for score, tokens in live]
        extra = {one.tokens: 0.0 if bias is None else bias.of(one.tokens) for one in found}
        return sorted(found, key=lambda one: (not one.ended, -one.score - extra[one.tokens]))[: 2 * self.beam]

    def log_probs(self, logits: Tensor, *, first: bool) -> Tensor:
        """Log-probabilities of the allowed tokens, float32 `(..., first_timestamp)`, from logits `(..., vocabulary)`;
        `first`: of a text's first token."""
        places = token_index(self._never(first), logits.device)
        return logits[..., : self.first_timestamp].float().index_fill(-1, places, -torch.inf).log_softmax(dim=-1)

    def _never(self, first: bool) -> frozenset[int]:
        return frozenset(self.forbidden).union(self.forbidden_first if first else ())

    def _extended(
        self,
        live: Sequence[tuple[float, tuple[int, ...]]],
        logits: Tensor,
        first: bool,
        found: list[LabelHypothesis],
        bias: PhraseScorer | None = None,
    ) -> list[tuple[float, tuple[int, ...], int]]:
        """The best one-token extensions with their source rows; finished texts are appended to `found`."""
        before = np.array([score for score, _ in live], np.float32)
        bonus = np.zeros((len(live), 0), np.float32)
        if bias is not None:
            bonus = np.stack([bias.totals(tokens, self.first_timestamp) for _, tokens in live]).astype(np.float32)
        if self.banned:
            bonus = _without([self.banned.after(tokens) for _, tokens in live], bonus, self.first_timestamp)
        scores, rows, tokens_next = load(KERNELS).best(
            logits.float().cpu().numpy(),
            _penalties(self.first_timestamp, self._never(first)),
            before,
            bonus,
            2 * self.beam,
        )
        kept: list[tuple[float, tuple[int, ...], int]] = []
        following = zip(scores.tolist(), rows.tolist(), tokens_next.tolist(), strict=True)
        for rank, (score, row, token) in enumerate(following):
            if len(kept) == self.beam:
                break
            tokens = live[row][1]
            if token != self.end:
                kept.append((score, (*tokens, token), row))
            elif rank < self.beam:
                found.append(LabelHypothesis(tokens, score, True))
        return [] if self.beam == 1 and found else kept


@lru_cache(16)
def _penalties(size: int, never: frozenset[int]) -> np.ndarray:
    """Logit penalties `(size,)`: 0 for allowed tokens, `_NEVER` for forbidden ones."""
    found = np.zeros(size, np.float32)
    found[[token for token in never if token < size]] = _NEVER
    return found


def _without(banned: Sequence[Collection[int]], bonus: np.ndarray, size: int) -> np.ndarray:
    """The bonus `(rows, size)` of each token, from `bonus` of that shape or `(rows, 0)`, without each row's banned
    tokens."""
    if not any(banned):
        return bonus
    found = bonus if bonus.shape[1] else np.zeros((len(banned), size), np.float32)
    for row, tokens in zip(found, banned, strict=True):
        row[[token for token in tokens if token < size]] = _NEVER
    return found


def likeliest(found: Sequence[LabelHypothesis]) -> LabelHypothesis:
    """The hypothesis with the highest mean log-probability, preferring those that ended."""
    return max(found, key=lambda one: (one.ended, one.score / (len(one.tokens) + 1)))


def repeats(tokens: Sequence[int]) -> bool:
    """Whether a text ends in a loop: the same token sequence three times, or five times if it is short."""
    return len(once(tokens)) < len(tokens)


def once(tokens: Sequence[int]) -> Sequence[int]:
    """The tokens with a trailing loop reduced to one repetition; other texts are unchanged."""
    count = len(tokens)
    for size in range(1, _LOOP + 1):
        times = 5 if size < _SHORT else 3
        if size * times > count:
            continue
        last = tokens[count - size :]
        if all(tokens[count - n * size : count - (n - 1) * size] == last for n in range(2, times + 1)):
            return tokens[: count - (times - 1) * size]
    return tokens
