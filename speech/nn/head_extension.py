"""Initial head rows for tokens that a vocabulary lacks, used to start training an adapter.

OFA (Liu et al. 2023, arXiv 2311.08849): the row of an unseen token is initialised as the mean of rows of similar
tokens, weighted by the softmax of their similarity, instead of at random.
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

_TEMPERATURE = 0.1
"""Of the softmax over similarities, which are at most 1."""


def near_rows(
    head: CTCHead,
    vocabulary: Vocabulary,
    tokens: Sequence[str],
    *,
    generator: torch.Generator | None = None,
    most: int = 1,
) -> tuple[Tensor, Tensor]:
    """Initialise rows `(n, dim)` and biases `(n,)` of new tokens from the pieces nearest in letters or sound.

    Args:
        head: the base model's head, before quantization.
        vocabulary: the base model's vocabulary.
        tokens: tokens that the vocabulary lacks.
        generator: for tokens without a near piece, which get rows drawn as in `random_rows`.
        most: number of pieces to average per token; ties go to earlier pieces, which are more frequent. With 1, the
            embedded model writes an English clip in Georgian letters before any training; with 4, whose rows hardly
            agree, it writes nothing.

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
    shares = torch.softmax((best / _TEMPERATURE).masked_fill(best < LEAST, -torch.inf), dim=-1)  # (n, most)
    found = best[:, :1] >= LEAST  # (n, 1)
    shares = shares.masked_fill(~found, 0.0)
    mixed, mixed_bias = (shares[..., None] * rows[which]).sum(dim=1), (shares * bias[which]).sum(dim=1)
    return torch.where(found, mixed, own), torch.where(found[:, 0], mixed_bias, own_bias)


def random_rows(
    head: CTCHead, vocabulary: Vocabulary, tokens: Sequence[str], *, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Draw rows and biases from a normal distribution with the mean and deviation of the base's rows, per column.

    Raises:
        ConfigError: if the head's weights cannot be read.
    """
    rows, bias = _pieces(head, vocabulary)
    noise = torch.randn(len(tokens), rows.shape[1] + 1, generator=generator)  # rows, then biases in the last column
    own = rows.mean(dim=0) + noise[:, :-1] * rows.std(dim=0, correction=0)  # (n, dim)
    return own, bias.mean() + noise[:, -1] * bias.std(correction=0)


def _ids(vocabulary: Vocabulary) -> range:
    return range(vocabulary.piece_start, vocabulary.piece_start + len(vocabulary.pieces))


def _pieces(head: CTCHead, vocabulary: Vocabulary) -> tuple[Tensor, Tensor]:
    """Head rows and biases of all pieces, float32 on the CPU. Raises ConfigError if the weights are packed."""
    weight, bias = getattr(head.linear, "weight", None), getattr(head.linear, "bias", None)
    if weight is None or bias is None:
        raise ConfigError("the head's weights are packed and cannot be read", fix="Take the model in float32.")
    ids = torch.tensor(_ids(vocabulary))
    return in_float32(weight).cpu()[ids], bias.detach().float().cpu()[ids]
