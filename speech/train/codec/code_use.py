"""How evenly the codes of a codebook are used."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class CodeUse(NamedTuple):
    """Statistics of each codebook, each `(codebooks,)`."""

    used: Tensor
    """Share of its codes that occurred."""
    perplexity: Tensor
    """exp(entropy) of its codes: as many equally frequent ones would have that entropy."""


def count_codes(codes: Tensor, valid: Tensor, size: int) -> Tensor:
    """Occurrences `(codebooks, size)` int64 of each code.

    Args:
        codes: `(batch, codebooks, T)`.
        valid: `(batch, T)` bool, which frames count.
        size: of a codebook.
    """
    each = [torch.bincount(own[valid], minlength=size) for own in codes.unbind(1)]
    return torch.stack(each)


def code_use(counts: Tensor) -> CodeUse:
    """Statistics of `counts (codebooks, size)`; a codebook without any occurrence has a perplexity of 1."""
    shares = counts / counts.sum(dim=1, keepdim=True).clamp(min=1)
    return CodeUse((counts > 0).double().mean(dim=1), torch.special.entr(shares.double()).sum(dim=1).exp())
