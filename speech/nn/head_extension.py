"""Rows of a head for tokens that its vocabulary lacks: what an adapter's training begins with.

OFA (Liu et al. 2023, arXiv 2311.08849): instead of at random, the row of an unseen token begins as a mean of rows of
near ones, weighted by the softmax of how near they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from speech.errors import ConfigError
from speech.nn.ctc import CTCHead
from speech.nn.linears import in_float32
from speech.text.near_letters import LEAST, likeness
from speech.text.vocabulary import Vocabulary


def near_rows(
    head: CTCHead,
    vocabulary: Vocabulary,
    tokens: Sequence[str],
    *,
    generator: torch.Generator | None = None,
    most: int = 1,
    temperature: float = 0.1,
) -> tuple[Tensor, Tensor]:
    """Rows `(n, dim)` and biases `(n,)` of tokens, from those of the pieces that are nearest in letters or sound.

    Args:
        head: of the base, before it is put into eight bits.
        vocabulary: of the base.
        tokens: that it lacks.
        generator: of random numbers, for tokens without any near piece: they get the mean row, and noise as large as
            rows differ.
        most: pieces that a token takes part of; of equally near ones those that come first, being more frequent. With
            1 the embedded model writes an English clip in Georgian letters before any training; a mean of 4, whose
            rows hardly agree, writes nothing.
        temperature: of the softmax over likenesses, which are at most 1.

    Raises:
        ConfigError: if the head's weights cannot be read.
    """
    rows, bias = _pieces(head, vocabulary)
    own, own_bias = random_rows(head, vocabulary, tokens, generator=generator)
    if not tokens:
        return own, own_bias
    pieces = [vocabulary.tokens[token] for token in _ids(vocabulary)]
    near = torch.from_numpy(likeness(tokens, pieces)).float()  # (n, pieces)
    best, which = (part[:, :most] for part in near.sort(descending=True, stable=True))  # (n, most) each
    shares = torch.softmax((best / temperature).masked_fill(best < LEAST, -torch.inf), dim=-1)  # (n, most)
    found = best[:, :1] >= LEAST  # (n, 1)
    shares = shares.masked_fill(~found, 0.0)
    mixed, mixed_bias = (shares[..., None] * rows[which]).sum(dim=1), (shares * bias[which]).sum(dim=1)
    return torch.where(found, mixed, own), torch.where(found[:, 0], mixed_bias, own_bias)


def random_rows(
    head: CTCHead, vocabulary: Vocabulary, tokens: Sequence[str], *, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """The same from a normal distribution with mean and deviation of the rows of the base's pieces, by column.

    Raises:
        ConfigError: if the head's weights cannot be read.
    """
    rows, bias = _pieces(head, vocabulary)
    noise = torch.randn(len(tokens), rows.shape[1] + 1, generator=generator)  # rows, and biases behind them
    own = rows.mean(dim=0) + noise[:, :-1] * rows.std(dim=0, correction=0)  # (n, dim)
    return own, bias.mean() + noise[:, -1] * bias.std(correction=0)


def _ids(vocabulary: Vocabulary) -> range:
    return range(vocabulary.piece_start, vocabulary.piece_start + len(vocabulary.pieces))


def _pieces(head: CTCHead, vocabulary: Vocabulary) -> tuple[Tensor, Tensor]:
    """Rows and biases of the pieces, in float32 on the CPU."""
    weight, bias = getattr(head.linear, "weight", None), getattr(head.linear, "bias", None)
    if weight is None or bias is None:
        raise ConfigError("the head's weights are packed and cannot be read", fix="Take the model in float32.")
    ids = torch.tensor(_ids(vocabulary))
    return in_float32(weight).cpu()[ids], bias.detach().float().cpu()[ids]
