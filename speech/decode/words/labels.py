"""The language of each word, from its frames and its letters: the best path with a price on switches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from speech.decode.ctc.greedy import TokenSpan
from speech.decode.words.words import Draft
from speech.text.scripts import written_in

_SWITCH = 3.0
"""What a change of language costs, in nats."""
_FRAMES = 10.0
"""Neighbouring frames say much the same: so many count as one piece of evidence."""
_LONGEST = 50
"""Frames behind the beginning of a token that still belong to it."""
_MOST = 4.0
"""Pieces of evidence of a word, however long."""
_LEAST = -8.0
"""Of a log-posterior: no word rules a language out by its sound alone."""


class TokenEvidence(NamedTuple):
    """What frames say of the language, token by token: those from a token's first frame to the next token's, at most
    `_LONGEST` of them."""

    total: Tensor
    """(tokens, languages) sum of log-posteriors."""
    frames: Tensor
    """(tokens,) how many frames that are."""

    @classmethod
    def of(cls, spans: Sequence[TokenSpan], evidence: Tensor) -> TokenEvidence:
        """Of tokens in the frames of `evidence (T, languages)`."""
        starts = torch.tensor([span.start_frame for span in spans], dtype=torch.int64)
        ends = torch.cat([starts[1:], torch.tensor([len(evidence)])])[: len(starts)]
        ends = torch.minimum(ends, starts + _LONGEST)
        sums = torch.nn.functional.pad(evidence.detach().cpu().double().clamp(min=_LEAST).cumsum(dim=0), (0, 0, 1, 0))
        return cls(sums[ends] - sums[starts], ends - starts)

    @classmethod
    def joined(cls, parts: Sequence[TokenEvidence]) -> TokenEvidence:
        """Of tokens in a row."""
        return cls(torch.cat([part.total for part in parts]), torch.cat([part.frames for part in parts]))

    def select(self, kept: Sequence[bool]) -> TokenEvidence:
        """Of some of the tokens."""
        mask = torch.tensor(kept, dtype=torch.bool)
        return TokenEvidence(self.total[mask], self.frames[mask])


def languages_of(
    drafts: Sequence[Draft], told: TokenEvidence, known: Sequence[str], allowed: Sequence[str], main: str
) -> list[str]:
    """ISO 639-3 code of each word.

    Args:
        told: of the tokens that the words are made of.
        known: codes of its columns.
        allowed: what the words can be in; some of those.
        main: what most of them are in.
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
        evidence: `(words, languages)`, mean log-posterior of the frames of each word.
        frames: `(words,)`, how many those are.
        possible: `(words, languages)`, whether a word's letters are those of a language; a word in no language's
            letters may be in any.
        main: index of the language of the whole, in which words are that nothing is heard of.
        price: of a switch, in nats.
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
