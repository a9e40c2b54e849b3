"""Logit rules for a label decoder: forbidden tokens become -inf, all others are unchanged.

A rule takes the logits of the next token `(rows, vocabulary)` and the tokens of each row after its prompt. Rules are
applied in list order; `TimestampRules` depends on what the others leave, so it comes last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class LogitsRule(Protocol):
    """A logits rule; see the module docstring."""

    def __call__(self, logits: Tensor, written: Sequence[Sequence[int]]) -> Tensor:
        """Return the restricted logits `(rows, vocabulary)`; the input is not modified."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """Suppresses tokens everywhere (`never`) or at the beginning of a text (`first`)."""

    never: Sequence[int] = ()
    first: Sequence[int] = ()

    def __call__(self, logits: Tensor, written: Sequence[Sequence[int]]) -> Tensor:
        """See `LogitsRule`."""
        never = torch.tensor(list(self.never), dtype=torch.int64, device=logits.device)
        logits = logits.index_fill(1, never, -torch.inf)
        first = torch.tensor(list(self.first), dtype=torch.int64, device=logits.device)
        for row, tokens in zip(logits, written, strict=True):
            if not tokens:
                row.index_fill_(0, first, -torch.inf)
        return logits


@dataclass(frozen=True, slots=True)
class TimestampRules:
    """Whisper's rules for timestamps (Radford et al. 2022, section 4.5).

    - A text begins with a timestamp of at most `latest_start` steps.
    - Timestamps come in pairs, the end of one segment and the start of the next, or one before the end of the text.
    - Timestamps never decrease, and no segment has length zero.
    - If all timestamps together are likelier than the likeliest other token, a timestamp is written.
    """

    first: int
    """Token of 0.00 s, which follows the no-timestamps token; all tokens from it on are timestamps."""
    end: int
    """End-of-text token; all tokens below it are text."""
    latest_start: int = 50
    """Maximum first timestamp, in steps of 0.02 s (50: 1 s)."""

    def __call__(self, logits: Tensor, written: Sequence[Sequence[int]]) -> Tensor:
        """See `LogitsRule`."""
        logits = logits.float().clone()
        logits[:, self.first - 1] = -torch.inf
        for row, tokens in zip(logits, written, strict=True):
            self._constrain(row, tokens)
        log_probs = logits.log_softmax(dim=-1)
        stamped = log_probs[:, self.first :].logsumexp(dim=-1) > log_probs[:, : self.first].amax(dim=-1)
        logits[:, : self.first].masked_fill_(stamped[:, None], -torch.inf)
        return logits

    def _constrain(self, row: Tensor, tokens: Sequence[int]) -> None:
        if not tokens:
            row[: self.first] = -torch.inf
            row[self.first + self.latest_start + 1 :] = -torch.inf
            return
        stamps = [token for token in tokens if token >= self.first]
        if not stamps:
            return
        ends = tokens[-1] >= self.first and len(tokens) > 1 and tokens[-2] < self.first
        if ends:  # a segment has ended: either the next one begins, or the text ends
            row[: self.end] = -torch.inf
        elif tokens[-1] >= self.first:
            row[self.first :] = -torch.inf
        row[self.first : stamps[-1] + (0 if ends else 1)] = -torch.inf
