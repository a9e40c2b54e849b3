"""Rules of sampling, as functions of numbers. Each row of a batch is treated by itself, with limits of its own.

They are applied in this order, as Fish-Speech does: penalty, top p and top k on the distribution as it is, temperature.
"""

from __future__ import annotations

import torch
from torch import Tensor

NOTHING = -1
"""In a history: no token yet."""
_LEAST_TEMPERATURE = 1e-5


def penalized(scores: Tensor, recent: Tensor, penalty: Tensor) -> Tensor:
    """Make recent tokens less likely (Keskar et al. 2019, "CTRL", section 4.1).

    Args:
        scores: `(batch, n)`.
        recent: `(batch, window)` tokens, `NOTHING` where there is none.
        penalty: `(batch, 1)`; scores above 0 are divided by it, others multiplied. 1 changes nothing.
    """
    if not recent.shape[1]:
        return scores
    places = recent.clamp(min=0)
    own = scores.gather(1, places)
    lower = torch.where(own > 0, own / penalty, own * penalty)
    there = recent != NOTHING
    # a token that occurs twice is written twice, with the same number; places without a token write nowhere
    wide = torch.cat([scores, scores.new_zeros(len(scores), 1)], dim=1)
    return wide.scatter(1, torch.where(there, places, scores.shape[1]), lower)[:, :-1]


def top_p(scores: Tensor, share: Tensor) -> Tensor:
    """Keep the likeliest tokens whose probabilities sum up to at most `share (batch, 1)`, and the best one in any case
    (Holtzman et al. 2020, "nucleus sampling"); others get -inf. `scores (batch, n)` and the result are logits."""
    ordered, places = scores.sort(dim=1, descending=True, stable=True)
    drop = ordered.softmax(dim=1).cumsum(dim=1) > share
    drop &= share < 1  # sums of float32 may exceed 1
    drop[:, 0] = False
    return scores.masked_fill(torch.zeros_like(drop).scatter(1, places, drop), -torch.inf)


def top_k(scores: Tensor, count: Tensor) -> Tensor:
    """Keep the `count (batch, 1)` likeliest tokens; 0 keeps all. Of equal scores the first are kept."""
    ranks = scores.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    return scores.masked_fill((ranks >= count) & (count > 0), -torch.inf)


def probabilities(scores: Tensor, temperature: Tensor) -> Tensor:
    """Softmax of `scores (batch, n)` over `temperature (batch, 1)`; 0 leaves the best token alone."""
    return (scores / temperature.clamp(min=_LEAST_TEMPERATURE)).softmax(dim=1)


def drawn(chances: Tensor, noise: Tensor) -> Tensor:
    """Draw a token `(batch,)` in proportion to `chances (batch, n)`.

    Args:
        chances: probabilities, which need not sum up to 1.
        noise: `(batch, n)`, exponentially distributed: the first of independent Poisson events wins.
    """
    return (chances / noise.clamp(min=torch.finfo(noise.dtype).tiny)).argmax(dim=1)


def repeats(tokens: Tensor, recent: Tensor) -> Tensor:
    """Whether a token `(batch,)` is among the `recent (batch, window)` ones: `(batch,)` bool."""
    return (recent == tokens[:, None]).any(dim=1)
