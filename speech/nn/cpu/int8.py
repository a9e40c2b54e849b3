"""Int8 linear layers and tied embeddings for the CPU, where small batches are limited by reading the weights.

Weights have one scale per output; activations have one scale per frame, computed dynamically. Sums are exact integers,
so a frame's result is bit-identical whatever its batch. Activations use seven bits: without VNNI, 8-bit products
overflow.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from speech.nn.cpu.packed import PackedLinear
from speech.nn.linears import Network, quantized, with_layers
from speech.nn.tied_embedding import TiedEmbedding

_STEPS = 63  # quantization steps of an activation on each side of zero
_linear = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32


def int8_runs() -> bool:
    """Whether this machine supports the int8 kernels."""
    return "x86" in torch.backends.quantized.supported_engines


class Int8Linear(nn.Module):
    """Int8 version of `linear`, accurate to a percent or two."""

    def __init__(self, linear: nn.Linear | PackedLinear) -> None:
        super().__init__()
        self._packed = torch.ops.quantized.linear_prepack(rounded(linear.weight), None)
        self._bias = None if linear.bias is None else linear.bias.detach().float()

    def forward(self, x: Tensor) -> Tensor:
        """`(..., in)` float32 to `(..., out)`, without gradients."""
        return _product(x.detach(), self._packed, self._bias)


class Int8Embedding(nn.Module):
    """Int8 version of `embedding`, accurate to a percent or two. Weights are stored twice: as rows and packed.

    Args:
        embedding: in float, or already quantized.
    """

    def __init__(self, embedding: TiedEmbedding) -> None:
        super().__init__()
        weight = rounded(embedding.weight)
        self._packed = torch.ops.quantized.linear_prepack(weight, None)
        self._rows, self._scales = weight.int_repr(), weight.q_per_channel_scales().float()

    def forward(self, tokens: Tensor) -> Tensor:
        """`(..., )` ids to float32 `(..., dim)`; reads only the rows of these ids."""
        return self._rows[tokens] * self._scales[tokens, None]

    def logits(self, x: Tensor) -> Tensor:
        """`(..., dim)` float32 to `(..., vocabulary)`, without gradients."""
        return _product(x.detach(), self._packed, None)


def _product(x: Tensor, packed: Any, bias: Tensor | None) -> Tensor:
    peak = x.abs().amax(dim=-1, keepdim=True).clamp(min=1e-8)  # (..., 1)
    y: Tensor = _linear(x / peak, 1 / _STEPS, _STEPS + 1, packed)  # (..., out)
    return y.mul_(peak) if bias is None else torch.addcmul(bias, y, peak, out=y)


def rounded(weight: Tensor) -> Tensor:
    """Quantize a weight `(out, in)` to int8 with one scale per row; quantized weights are returned unchanged."""
    weight = weight.detach()
    if weight.is_quantized:
        return weight
    weight = weight.float()
    scales = weight.abs().amax(dim=1).clamp(min=1e-8) / 127  # (out,)
    whole = (weight * (1 / scales)[:, None]).round_().to(torch.int8)  # four times as fast as quantize_per_channel
    return quantized(whole, scales)


def int8_copy[M: Network](model: M) -> M:
    """Return a copy with all linear layers and tied embeddings in int8; everything else is shared with the original.

    Int8 layers are shared too.
    """
    return with_layers(model, {nn.Linear: Int8Linear, PackedLinear: Int8Linear, TiedEmbedding: Int8Embedding})
