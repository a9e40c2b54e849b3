"""Linear layers and tied embeddings in eight bits for the CPU, where few rows at once mean that weights have to be
fetched for each.

Weights have a scale for each output, activations one for each frame, found as it comes. Sums are exact integers, so
a frame's answer does not depend on the others of its batch, to the last bit. Activations use seven bits: without
VNNI, products of eight bits overflow.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from speech.nn.cpu.packed import PackedLinear
from speech.nn.linears import Network, quantized, with_layers
from speech.nn.tied_embedding import TiedEmbedding

_STEPS = 63  # of an activation to each side of zero
_linear = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32


def int8_runs() -> bool:
    """Whether this machine has the kernels."""
    return "x86" in torch.backends.quantized.supported_engines


class Int8Linear(nn.Module):
    """What `linear` says, within a percent or two."""

    def __init__(self, linear: nn.Linear | PackedLinear) -> None:
        super().__init__()
        self._packed = torch.ops.quantized.linear_prepack(rounded(linear.weight), None)
        self._bias = None if linear.bias is None else linear.bias.detach().float()

    def forward(self, x: Tensor) -> Tensor:
        """`(..., in)` float32 to `(..., out)`, without gradients."""
        return _product(x.detach(), self._packed, self._bias)


class Int8Embedding(nn.Module):
    """What `embedding` says, within a percent or two. Its numbers lie here twice: as rows and as the kernels read them.

    Args:
        embedding: in float, or as stored.
    """

    def __init__(self, embedding: TiedEmbedding) -> None:
        super().__init__()
        weight = rounded(embedding.weight)
        self._packed = torch.ops.quantized.linear_prepack(weight, None)
        self._rows, self._scales = weight.int_repr(), weight.q_per_channel_scales().float()

    def forward(self, tokens: Tensor) -> Tensor:
        """`(..., )` ids to float32 `(..., dim)`; no other row is looked at."""
        return self._rows[tokens] * self._scales[tokens, None]

    def logits(self, x: Tensor) -> Tensor:
        """`(..., dim)` float32 to `(..., vocabulary)`, without gradients."""
        return _product(x.detach(), self._packed, None)


def _product(x: Tensor, packed: Any, bias: Tensor | None) -> Tensor:
    peak = x.abs().amax(dim=-1, keepdim=True).clamp(min=1e-8)  # (..., 1)
    y: Tensor = _linear(x / peak, 1 / _STEPS, _STEPS + 1, packed)  # (..., out)
    return y.mul_(peak) if bias is None else torch.addcmul(bias, y, peak, out=y)


def rounded(weight: Tensor) -> Tensor:
    """Eight bits and a scale for each row, where they are not so already."""
    weight = weight.detach()
    if weight.is_quantized:
        return weight
    weight = weight.float()
    scales = weight.abs().amax(dim=1).clamp(min=1e-8) / 127  # (out,)
    whole = (weight * (1 / scales)[:, None]).round_().to(torch.int8)  # four times as fast as quantize_per_channel
    return quantized(whole, scales)


def int8_copy[M: Network](model: M) -> M:
    """The model with every linear layer and tied embedding in eight bits; everything else is shared with the original.

    One that is in eight bits already is only copied.
    """
    return with_layers(model, {nn.Linear: Int8Linear, PackedLinear: Int8Linear, TiedEmbedding: Int8Embedding})
