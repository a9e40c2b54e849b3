"""Which language is spoken, from a language head or from the language token that a model says or writes first."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from speech.decode.ctc.frames import CtcFrames

FIRST_FRAMES = 4
"""In which a model that says the language first may say it, prefix frames among them."""
_LEAST = -1e30


def language_posterior(logits: Tensor, lengths: Tensor) -> Tensor:
    """Posterior `(batch, languages)` of the evidence of all frames of an utterance, averaged.

    Args:
        logits: (batch, T, languages)
        lengths: (batch,) frames of each; an utterance without frames gets the uniform posterior.
    """
    real = _real(lengths, logits.shape[1])[..., None]
    evidence = torch.log_softmax(logits.float(), dim=-1).masked_fill(~real, 0.0)
    return torch.softmax(evidence.sum(1) / lengths.clamp(min=1)[:, None], dim=-1)


def first_token_posterior(frames: CtcFrames, language_ids: Sequence[int]) -> Tensor:
    """Posterior `(batch, languages)` of models that say the language first.

    It is read where the languages together are most probable, among the first frames: CTC may begin with blanks.

    Args:
        frames: an utterance without frames gets the uniform posterior.
        language_ids: token of each language.
    """
    ids = torch.tensor(list(language_ids), dtype=torch.int64, device=frames.log_probs.device)
    first = frames.log_probs[:, :FIRST_FRAMES].index_select(-1, ids).float()  # (batch, <= 4, languages)
    if first.shape[1] == 0:
        return first.new_full((first.shape[0], len(ids)), 1 / max(len(ids), 1))
    real = _real(frames.lengths, first.shape[1])[..., None]
    # A finite floor: an utterance without any probable language becomes uniform instead of NaN.
    first = first.masked_fill(~real, _LEAST).clamp(min=_LEAST)
    best = first.logsumexp(-1).argmax(1)
    return torch.softmax(first[torch.arange(len(best), device=best.device), best], dim=-1)


def next_token_posterior(logits: Tensor, language_ids: Sequence[int]) -> Tensor:
    """Posterior `(batch, languages)` of label decoders, whose prompt is followed by the language.

    Args:
        logits: `(batch, vocabulary)` of what follows the token that begins a transcript.
        language_ids: token of each language.
    """
    ids = torch.tensor(list(language_ids), dtype=torch.int64, device=logits.device)
    return torch.softmax(logits.index_select(-1, ids).float(), dim=-1)


def posterior_among(log_posterior: Tensor, codes: Sequence[str], allowed: Collection[str]) -> Tensor:
    """Posterior `(languages,)` where the language is one of those allowed; zeros where none of `codes` is.

    Args:
        log_posterior: (languages,), up to a constant.
        codes: of each language.
        allowed: empty: any.
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
        codes: of each language.
    """
    if posterior.shape != (len(codes),) or not codes:
        raise ValueError(f"posterior {tuple(posterior.shape)} of {len(codes)} codes; expected one value for each code")
    best = int(posterior.argmax())
    return codes[best], float(posterior[best])


def _real(lengths: Tensor, frames: int) -> Tensor:
    return torch.arange(frames, device=lengths.device) < lengths[:, None]  # (batch, T)
