"""The CTC head, its extension by new tokens, and self-conditioning on intermediate posteriors."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speech.nn.linears import in_float32

_TILE = 1 << 22
"""Maximum number of logits held at once (16 MB). The C library requests larger blocks from the system each time, which
costs more than the products themselves.
"""


class CTCHead(nn.Module):
    """Token log-probabilities of encoder frames. The softmax runs in float32: in bfloat16, CTC loses small terms."""

    def __init__(self, dim: int, vocabulary: int) -> None:
        super().__init__()
        self.linear: nn.Module = nn.Linear(dim, vocabulary)
        self.vocabulary = vocabulary

    def tiles(self, x: Tensor) -> Iterator[Tensor]:
        """Yield logits `(n, vocabulary)` of the frames of `x (batch, time, dim)`, a tile of frames at a time."""
        for tile in x.flatten(0, 1).split(max(_TILE // self.vocabulary, 1)):
            yield self.linear(tile)

    def best(self, x: Tensor, forbidden: Tensor) -> tuple[Tensor, Tensor]:
        """Best token of each frame and its log-probability, both `(batch, time)`; never one of `forbidden (n,)`."""
        ids, scores = [], []
        for tile in self.tiles(x):
            logits = tile.float()  # (n, vocabulary)
            total = logits.logsumexp(dim=-1)  # (n,)
            best, index = logits.index_fill_(-1, forbidden, -torch.inf).max(dim=-1)
            ids.append(index)
            scores.append(best - total)
        return torch.cat(ids).view(x.shape[:2]), torch.cat(scores).view(x.shape[:2])

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, time, dim)` to float32 log-probabilities `(batch, time, vocabulary)`."""
        return torch.log_softmax(self.linear(x).float(), dim=-1)


class ExtendedHead(CTCHead):
    """A head with extra rows for tokens that its vocabulary lacks, and one softmax over all tokens.

    Args:
        base: head of any precision; it stays unchanged, and self-conditioning continues to use it.
        rows: `(n, dim)` float32, may be trainable.
        bias: `(n,)`.
    """

    def __init__(self, base: CTCHead, rows: Tensor, bias: Tensor) -> None:
        nn.Module.__init__(self)
        self.linear = _ExtendedLinear(base.linear, rows, bias)
        self.vocabulary = base.vocabulary + len(rows)


class _ExtendedLinear(nn.Module):
    def __init__(self, base: nn.Module, rows: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.base, self.rows, self.bias = base, rows, bias

    def forward(self, x: Tensor) -> Tensor:
        """`(..., dim)` to float32 `(..., vocabulary + n)`."""
        return torch.cat([self.base(x).float(), F.linear(x.float(), self.rows, self.bias)], dim=-1)


class SelfConditioning(nn.Module):
    """Feeds intermediate posteriors back into the encoder (Nozaki and Komatsu 2021, equation 9)."""

    def __init__(self, vocabulary: int, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(vocabulary, dim)

    def forward(self, x: Tensor, log_probs: Tensor) -> Tensor:
        """`x (batch, time, dim)` plus the projection of `log_probs (batch, time, vocabulary)`."""
        return x + self.linear(log_probs.exp().to(x.dtype))

    def from_head(self, x: Tensor, normed: Tensor, head: CTCHead) -> Tensor:
        """Like `forward` with the posteriors of `head` for `normed (batch, time, dim)`, computed tile by tile."""
        fed_back = [self._project(logits) for logits in head.tiles(normed)]  # (n, dim) each
        return x + torch.cat(fed_back).view_as(x).to(x.dtype)

    def _project(self, logits: Tensor) -> Tensor:
        return self.linear(torch.softmax(logits.float(), dim=-1).to(logits.dtype))


class SparseConditioning(SelfConditioning):
    """Self-conditioning on only the `top` most probable tokens of a frame, renormalised.

    This is an approximation, as posteriors have few high values. It replaces the matrix product by table look-ups.

    Args:
        dense: the exact self-conditioning.
        top: number of tokens per frame.
    """

    table: Tensor

    def __init__(self, dense: SelfConditioning, top: int) -> None:
        nn.Module.__init__(self)
        self.top = top
        weight, bias = in_float32(dense.linear.weight), dense.linear.bias.detach()  # (dim, vocabulary), (dim,)
        self.register_buffer("table", weight.t().contiguous() + bias, persistent=False)  # weights sum to one

    def forward(self, x: Tensor, log_probs: Tensor) -> Tensor:
        return x + self._project(log_probs.flatten(0, 1)).view_as(x).to(x.dtype)  # (batch, time, dim)

    def _project(self, logits: Tensor) -> Tensor:
        best, ids = logits.topk(min(self.top, logits.shape[-1]))  # (n, top) each
        share = torch.softmax(best.float(), dim=-1).to(self.table.dtype)
        return F.embedding_bag(ids, self.table, per_sample_weights=share, mode="sum")  # (n, dim)
