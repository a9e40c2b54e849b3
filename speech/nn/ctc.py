"""The CTC head, rows that are added to it, and self-conditioning on its intermediate posteriors."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speech.nn.linears import in_float32

_TILE = 1 << 22
"""Values of posteriors that are held at once (16 MB). What is larger, the C library asks the system for each time anew,
which costs more than the products that are done with it.
"""


class CTCHead(nn.Module):
    """Token log-probabilities of encoder frames. The softmax runs in float32: in bfloat16 CTC loses its small terms."""

    def __init__(self, dim: int, vocabulary: int) -> None:
        super().__init__()
        self.linear: nn.Module = nn.Linear(dim, vocabulary)
        self.vocabulary = vocabulary

    def tiles(self, x: Tensor) -> Iterator[Tensor]:
        """Logits `(n, vocabulary)` of the frames of `x (batch, time, dim)`, some at a time."""
        for tile in x.flatten(0, 1).split(max(_TILE // self.vocabulary, 1)):
            yield self.linear(tile)

    def best(self, x: Tensor, forbidden: Tensor) -> tuple[Tensor, Tensor]:
        """The best token of each frame and its log-probability, `(batch, time)`; `forbidden (n,)` tokens are none."""
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
    """What a head says, and rows for tokens that its vocabulary lacks: one softmax over both.

    Args:
        base: in whatever numbers; it is not changed, and conditioning goes on with it alone.
        rows: `(n, dim)` float32, which may be trained.
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
        """The same of what `head` says of `normed (batch, time, dim)`, never holding it for all frames at once."""
        fed_back = [self._project(logits) for logits in head.tiles(normed)]  # (n, dim) each
        return x + torch.cat(fed_back).view_as(x).to(x.dtype)

    def _project(self, logits: Tensor) -> Tensor:
        return self.linear(torch.softmax(logits.float(), dim=-1).to(logits.dtype))


class SparseConditioning(SelfConditioning):
    """Only the most probable tokens of a frame are fed back, as if there were no others.

    An approximation: posteriors have few high values. A table is read instead of multiplying with all of it.

    Args:
        dense: what it stands for.
        top: tokens.
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
