"""Word-level language labels from frames and letters: the best path with a penalty for switches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from speech.decode.ctc.greedy import TokenSpan
from speech.decode.words.words import WordDraft
from speech.text.scripts import written_in

_SWITCH = 3.0
"""Penalty in nats for a language switch."""
_FRAMES = 10.0
"""Number of correlated neighbouring frames that count as one observation."""
_LONGEST = 50
"""Maximum frames from the start of a token that belong to it."""
_MOST = 4.0
"""Maximum number of observations per word."""
_LEAST = -8.0
"""Floor for log-posteriors: sound alone never rules a language out."""


class TokenEvidence(NamedTuple):
    """Language evidence per token, from its first frame up to the next token's first frame, at most `_LONGEST`
    frames."""

    total: Tensor
    """Sum of log-posteriors `(tokens, languages)`."""
    frames: Tensor
    """Number of frames summed `(tokens,)`."""

    @classmethod
    def of(cls, spans: Sequence[TokenSpan], evidence: Tensor) -> TokenEvidence:
        """Evidence of tokens, from `evidence (T, languages)` of their frames."""
        starts = torch.tensor([span.start_frame for span in spans], dtype=torch.int64)
        ends = torch.cat([starts[1:], torch.tensor([len(evidence)])])[: len(starts)]
        ends = torch.minimum(ends, starts + _LONGEST)
        sums = torch.nn.functional.pad(evidence.detach().cpu().double().clamp(min=_LEAST).cumsum(dim=0), (0, 0, 1, 0))
        return cls(sums[ends] - sums[starts], ends - starts)

    @classmethod
    def joined(cls, parts: Sequence[TokenEvidence]) -> TokenEvidence:
        """Concatenate consecutive evidence."""
        return cls(torch.cat([part.total for part in parts]), torch.cat([part.frames for part in parts]))

    def select(self, kept: Sequence[bool]) -> TokenEvidence:
        """Keep the tokens whose mask value is true."""
        mask = torch.tensor(kept, dtype=torch.bool)
        return TokenEvidence(self.total[mask], self.frames[mask])


def languages_of(
    drafts: Sequence[WordDraft], told: TokenEvidence, known: Sequence[str], allowed: Sequence[str], main: str
) -> list[str]:
    """ISO 639-3 code of each word.

    Args:
        drafts: words in order.
        told: evidence of the words' tokens.
        known: codes of its columns.
        allowed: codes that words may have, a subset of `known`.
        main: main language of the words.
    """
    if not drafts:
        return []
    columns = [known.index(code) for code in allowed]
    total = torch.stack([told.total[draft.first : draft.last + 1].sum(dim=0) for draft in drafts])[:, columns].numpy()
    frames = np.array([int(told.frames[draft.first : draft.last + 1].sum()) for draft in drafts])
    possible = np.array([[written_in(draft.text, [code]) for code in allowed] for draft in drafts])
    evidence = total / np.maximum(frames, 1)[:, None]
    return [allowed[label] for label in label_words(evidence, frames, possible, allowed.index(main))]


def label_words(
    evidence: np.ndarray, frames: np.ndarray, possible: np.ndarray, main: int, price: float = _SWITCH
) -> list[int]:
    """Index of the language of each word.

    Args:
        evidence: `(words, languages)`, mean log-posterior of each word's frames.
        frames: `(words,)`, number of those frames.
        possible: `(words, languages)`, whether a language uses the word's letters; a word that fits no language may
            be in any.
        main: index of the main language, the default for words without evidence.
        price: penalty for a switch, in nats.
    """
    if not len(evidence):
        return []
    weight = np.minimum(np.asarray(frames, float) / _FRAMES, _MOST)[:, None]
    scores = np.asarray(evidence, float) * weight
    scores[frames == 0] = 0.0
    ruled_out = ~np.asarray(possible) & np.asarray(possible).any(axis=1, keepdims=True)
    scores[ruled_out] = -np.inf
    best = scores[0] - price * (np.arange(scores.shape[1]) != main)
    origins = np.zeros(scores.shape, int)
    for number in range(1, len(scores)):
        leader = int(best.argmax())
        switched = best[leader] - price
        origins[number] = np.where(best >= switched, np.arange(len(best)), leader)
        best = np.maximum(best, switched) + scores[number]
    path = [int(best.argmax())]
    for number in range(len(scores) - 1, 0, -1):
        path.append(int(origins[number, path[-1]]))
    return path[::-1]
