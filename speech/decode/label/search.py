"""Greedy and beam search with a label decoder: one utterance, its hypotheses in one batch."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from speech.decode.frames import token_index
from speech.decode.label.phrases import Bias

_LOOP = 27
"""Longest run of tokens whose repetition is looked for."""
_SHORT = 3
"""Shorter runs may be said five times, such as "no no no"; others three times."""


class Scores(Protocol):
    """A label decoder with an utterance in front of it."""

    def begin(self, prompt: Sequence[int]) -> tuple[Tensor, Any]:
        """Logits `(1, vocabulary)` of what follows the prompt, and the state behind it."""

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Logits `(rows, vocabulary)` of what follows `tokens (rows,)`, and the next state."""

    def select(self, state: Any, rows: Tensor) -> Any:
        """The state of hypotheses `rows (n,)`."""


@dataclass(frozen=True, slots=True)
class LabelHypothesis:
    """A text that a search has found."""

    tokens: tuple[int, ...]
    """Without prompt and end."""
    score: float
    """Log-probability, with that of the end where it has come."""
    ended: bool
    """False where it was stopped: too long, or it had begun to repeat itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelSearch:
    """How to search."""

    end: int
    """Token that ends a text."""
    first_timestamp: int
    """It and all behind it are never written."""
    forbidden: Collection[int] = ()
    """Tokens that are never written."""
    forbidden_first: Collection[int] = ()
    """Tokens that no text begins with."""
    beam: int = 5
    """Hypotheses that are kept; 1 is greedy."""

    def __call__(
        self, scores: Scores, prompt: Sequence[int], most: int, bias: Bias | None = None
    ) -> list[LabelHypothesis]:
        """Texts of at most `most` tokens from likely to unlikely, at least one and at most twice the beam.

        With `bias`, texts with phrases in them are preferred; scores are without it.
        """
        logits, state = scores.begin(prompt)
        live: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
        found: list[LabelHypothesis] = []
        for length in range(most + 1):
            kept = self._extended(live, self.log_probs(logits, first=length == 0), found, bias)
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
        extra = {one.tokens: 0.0 if bias is None else bias.of(one.tokens) for one in found}
        return sorted(found, key=lambda one: (not one.ended, -one.score - extra[one.tokens]))[: 2 * self.beam]

    def log_probs(self, logits: Tensor, *, first: bool) -> Tensor:
        """What can be written of `(..., vocabulary)`: float32 `(..., first_timestamp)`; `first`: as a text's first."""
        never = frozenset(self.forbidden).union(self.forbidden_first if first else ())
        places = token_index(never, logits.device)
        return logits[..., : self.first_timestamp].float().index_fill(-1, places, -torch.inf).log_softmax(dim=-1)

    def _extended(
        self,
        live: Sequence[tuple[float, tuple[int, ...]]],
        log_probs: Tensor,
        found: list[LabelHypothesis],
        bias: Bias | None = None,
    ) -> list[tuple[float, tuple[int, ...], int]]:
        """The best of all one token longer, with the row that each comes from; those that end are added to `found`."""
        before = torch.tensor([score for score, _ in live], device=log_probs.device)
        totals = log_probs + before[:, None]
        vocabulary = log_probs.shape[-1]
        if bias is None:
            best, places = totals.flatten().topk(min(2 * self.beam, totals.numel()))
        else:
            more = np.stack([bias.totals(tokens, vocabulary) for _, tokens in live])
            ranks = totals + torch.from_numpy(more).to(totals)
            places = ranks.flatten().topk(min(2 * self.beam, totals.numel())).indices
            best = totals.flatten()[places]
        kept: list[tuple[float, tuple[int, ...], int]] = []
        for rank, (score, place) in enumerate(zip(best.tolist(), places.tolist(), strict=True)):
            if score == -torch.inf or len(kept) == self.beam:
                break
            row, token = divmod(place, vocabulary)
            tokens = live[row][1]
            if token != self.end:
                kept.append((score, (*tokens, token), row))
            elif rank < self.beam:
                found.append(LabelHypothesis(tokens, score, True))
        return [] if self.beam == 1 and found else kept


def likeliest(found: Sequence[LabelHypothesis]) -> LabelHypothesis:
    """By mean log-probability; of those that have ended, if any has."""
    return max(found, key=lambda one: (one.ended, one.score / (len(one.tokens) + 1)))


def repeats(tokens: Sequence[int]) -> bool:
    """Whether a text ends in the same run of tokens three times, or five times if it is a short one."""
    return len(once(tokens)) < len(tokens)


def once(tokens: Sequence[int]) -> Sequence[int]:
    """A text that repeats itself without the repetitions at its end; others as they are."""
    count = len(tokens)
    for size in range(1, _LOOP + 1):
        times = 5 if size < _SHORT else 3
        if size * times > count:
            continue
        last = tokens[count - size :]
        if all(tokens[count - n * size : count - (n - 1) * size] == last for n in range(2, times + 1)):
            return tokens[: count - (times - 1) * size]
    return tokens
