"""EMMA: a policy that is trained with the decoder (Ma et al. 2023, arXiv 2312.04515).

A stepwise network gives `p (..., I, J)`, the probability that token i is written at source frame j if it has not been
written before j. From it follow, in closed form and differentiably, the expected alignment, the attention that training
uses instead of the decoder's own, and the expected delay of each token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from speech.errors import ConfigError
from speech.translate.policy import TranslationDraft, whole_words


@dataclass(frozen=True, kw_only=True, slots=True)
class Emma:
    """Writes while the trained probability of writing is high enough."""

    threshold: float = 0.5
    """Least probability; smaller is earlier."""

    def __post_init__(self) -> None:
        if not 0.0 < self.threshold < 1.0:
            raise ConfigError(f"EMMA with a threshold of {self.threshold}", fix="It lies between 0 and 1.")

    def decide(self, drafts: Sequence[TranslationDraft]) -> int:
        """See `Policy`."""
        draft = drafts[-1]
        late = (place for place, chance in enumerate(draft.write) if chance < self.threshold)
        return whole_words(draft, next(late, len(draft.write)))


def expected_alignment(p: Tensor) -> Tensor:
    """Probability that token i is written at frame j: `p (..., I, J)` to `alpha (..., I, J)`.

    alpha_i = p_i * (alpha_{i-1} T_i), where T_i[m, n] is the probability of reading on from frame m to frame n. Nothing
    is divided, so it is exact where p is near 0 or 1; the form with cumulative products (Raffel et al. 2017) loses mass
    there. A row sums to less than 1 by the probability that the token is not written within J frames.
    """
    before = torch.zeros_like(p[..., 0, :])
    before[..., 0] = 1.0
    rows = []
    for row in p.unbind(dim=-2):  # (..., J)
        before = row * _moved(before, row)
        rows.append(before)
    return torch.stack(rows, dim=-2)


def _moved(before: Tensor, row: Tensor) -> Tensor:
    """`before (..., J)` times T, `T[m, n] = prod_{l=m}^{n-1} (1 - p_l)` for m <= n.

    It is the recurrence x_n = (1 - p_{n-1}) x_{n-1} + before_n, computed in log2(J) steps by doubling (Hillis and
    Steele 1986), so that memory grows with J log J and not with its square.
    """
    stay = torch.cat([torch.ones_like(row[..., :1]), 1.0 - row[..., :-1]], dim=-1)  # (..., J): 1 - p_{n-1}
    size, reach, moved = row.shape[-1], 1, before
    while reach < size:
        earlier = moved[..., :-reach]  # what has arrived `reach` frames before
        moved = torch.cat([moved[..., :reach], moved[..., reach:] + stay[..., reach:] * earlier], dim=-1)
        stay = torch.cat([stay[..., :reach], stay[..., reach:] * stay[..., :-reach]], dim=-1)
        reach *= 2
    return moved


def with_rest_at_end(alpha: Tensor) -> Tensor:
    """`alpha (..., I, J)` with the mass of tokens that are not written in time on the last frame: rows sum to 1."""
    rest = 1.0 - alpha.sum(dim=-1, keepdim=True)
    return torch.cat([alpha[..., :-1], alpha[..., -1:] + rest], dim=-1)


def infinite_lookback_attention(alpha: Tensor, scores: Tensor) -> Tensor:
    """Expected softmax attention over all that has been read when a token is written (Arivazhagan et al. 2019, arXiv
    1906.05218).

    beta_ij = sum over k >= j of alpha_ik exp(e_ij) / sum over l <= k of exp(e_il).

    Args:
        alpha: `(..., I, J)` of `expected_alignment`.
        scores: `(..., I, J)` e, unnormalised.

    Returns:
        `(..., I, J)`; rows sum to those of `alpha`.
    """
    weights = (scores - scores.amax(dim=-1, keepdim=True)).exp()
    read = weights.cumsum(dim=-1).clamp(min=torch.finfo(weights.dtype).tiny)
    ratio = alpha / read
    return weights * ratio.flip(-1).cumsum(dim=-1).flip(-1)


def expected_delay(alpha: Tensor) -> Tensor:
    """Mean frame, from 1, at which each token is written: `alpha (..., I, J)`, rows summing to 1, to `(..., I)`."""
    return (alpha * _places(alpha)).sum(dim=-1)


def delay_variance(alpha: Tensor) -> Tensor:
    """Variance of the frame at which each token is written: `alpha (..., I, J)`, rows summing to 1, to `(..., I)`."""
    return (alpha * _places(alpha).square()).sum(dim=-1) - expected_delay(alpha).square()


def _places(alpha: Tensor) -> Tensor:
    return torch.arange(1, alpha.shape[-1] + 1, dtype=alpha.dtype, device=alpha.device)


def expected_lagging(delays: Tensor, frames: Tensor, tokens: Tensor) -> Tensor:
    """Differentiable average lagging (Cherry and Foster 2019) of expected delays.

    Args:
        delays: `(batch, I)` of `expected_delay`, in frames.
        frames: `(batch,)` real frames of each source.
        tokens: `(batch,)` real tokens of each target; what lies behind is left out.

    Returns:
        `(batch,)` mean frames behind a translation that goes evenly with the source.
    """
    step = (frames / tokens)[:, None].to(delays.dtype)  # (batch, 1)
    ideal = torch.arange(delays.shape[1], device=delays.device) * step  # (batch, I)
    real = torch.arange(delays.shape[1], device=delays.device) < tokens[:, None]
    lag = torch.cummax(delays - ideal, dim=1).values  # d'_i = max(d_i, d'_{i-1} + step)
    return (lag * real).sum(dim=1) / tokens
