"""What a label decoder may write next: logits that no rule forbids stay what they are, the others become -inf.

A rule is called with the logits of the next token `(rows, vocabulary)` and with what each row has written behind its
prompt. Rules are applied in the order of a list; `TimestampRules` weighs what the others have left, so it is the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class LogitsRule(Protocol):
    """See the module's docstring."""

    def __call__(self, logits: Tensor, written: Sequence[Sequence[int]]) -> Tensor:
        """`(rows, vocabulary)` logits that may be chosen; what it is given stays as it is."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """Tokens that are never written, and such that no text begins with."""

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
    """Where Whisper may write timestamps (Radford et al. 2022, section 4.5).

    - A text begins with one, of at most `latest_start` steps.
    - They come in pairs, the end of one segment and the beginning of the next, or one in front of the end of the text.
    - None is earlier than those before it, and no segment is without length.
    - Where all timestamps together are likelier than the likeliest other token, one of them is written.
    """

    first: int
    """Token of 0.00 s, behind that which says that there are none; all tokens from it on are timestamps."""
    end: int
    """End of the text; all tokens below it are text."""
    latest_start: int = 50
    """Steps of 0.02 s: 1 s."""

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
        if ends:  # a segment: now the next begins, or the text ends
            row[: self.end] = -torch.inf
        elif tokens[-1] >= self.first:
            row[self.first :] = -torch.inf
        row[self.first : stamps[-1] + (0 if ends else 1)] = -torch.inf
