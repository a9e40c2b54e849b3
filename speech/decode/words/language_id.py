"""Spoken language identification, from a language head or from the language token at the start of a model's output."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from speech.decode.ctc.frames import CtcFrames

FIRST_FRAMES = 4
"""Number of initial frames, including prefix frames, in which a model may emit its language token."""
_LEAST = -1e30


def language_posterior(logits: Tensor, lengths: Tensor) -> Tensor:
    """Posterior `(batch, languages)` from the average log-posterior of an utterance's frames.

    Args:
        logits: (batch, T, languages)
        lengths: (batch,) number of frames; an utterance without frames gets the uniform posterior.
    """
    real = _real(lengths, logits.shape[1])[..., None]
    evidence = torch.log_softmax(logits.float(), dim=-1).masked_fill(~real, 0.0)
    return torch.softmax(evidence.sum(1) / lengths.clamp(min=1)[:, None], dim=-1)


def first_token_posterior(frames: CtcFrames, language_ids: Sequence[int]) -> Tensor:
    """Posterior `(batch, languages)` of CTC models that emit the language token first.

    It is read at the initial frame where the total probability of languages is highest, since CTC may begin with
    blanks.

    Args:
        frames: log-probabilities; an utterance without frames gets the uniform posterior.
        language_ids: token id of each language.
    """
    ids = torch.tensor(list(language_ids), dtype=torch.int64, device=frames.log_probs.device)
    first = frames.log_probs[:, :FIRST_FRAMES].index_select(-1, ids).float()  # (batch, <= 4, languages)
    if first.shape[1] == 0:
        return first.new_full((first.shape[0], len(ids)), 1 / max(len(ids), 1))
    real = _real(frames.lengths, first.shape[1])[..., None]
    # A finite floor makes the posterior uniform, instead of NaN, if no language has any probability.
    first = first.masked_fill(~real, _LEAST).clamp(min=_LEAST)
    best = first.logsumexp(-1).argmax(1)
    return torch.softmax(first[torch.arange(len(best), device=best.device), best], dim=-1)


def next_token_posterior(logits: Tensor, language_ids: Sequence[int]) -> Tensor:
    """Posterior `(batch, languages)` of label decoders, which write the language token next.

    Args:
        logits: `(batch, vocabulary)` after the start-of-transcript token.
        language_ids: token id of each language.
    """
    ids = torch.tensor(list(language_ids), dtype=torch.int64, device=logits.device)
    return torch.softmax(logits.index_select(-1, ids).float(), dim=-1)


def posterior_among(log_posterior: Tensor, codes: Sequence[str], allowed: Collection[str]) -> Tensor:
    """Posterior `(languages,)` restricted to the allowed languages; all zeros if none of `codes` is allowed.

    Args:
        log_posterior: (languages,), up to a constant.
        codes: code of each language.
        allowed: allowed codes; empty: any.
    """
    known = [not allowed or code in allowed for code in codes]
    if not any(known):
        return torch.zeros_like(log_posterior)
    mask = torch.tensor(known, device=log_posterior.device)
    return torch.softmax(log_posterior.masked_fill(~mask, -torch.inf), dim=-1)


def top(posterior: Tensor, codes: Sequence[str]) -> tuple[str, float]:
    """The most probable language and its probability.

    Args:
        posterior: (languages,)
        codes: code of each language.
    """
    if posterior.shape != (len(codes),) or not codes:
        raise ValueError(f"posterior {tuple(posterior.shape)} of {len(codes)} codes; expected one value for each code")
    best = int(posterior.argmax())
    return codes[best], float(posterior[best])


def _real(lengths: Tensor, frames: int) -> Tensor:
    return torch.arange(frames, device=lengths.device) < lengths[:, None]  # (batch, T)
