"""Linear layers in eight bits for the CPU, where few rows at once mean that weights have to be fetched for each.

Weights have a scale for each output, activations one for each frame, found as it comes. Sums are exact integers, so
a frame's answer does not depend on the others of its batch, to the last bit. Activations use seven bits: without
VNNI, products of eight bits overflow.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from speech.nn.linears import quantized, with_linears
from speech.nn.packed import PackedLinear

_STEPS = 63  # of an activation to each side of zero
_linear = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32


def int8_runs() -> bool:
    """Whether this machine has the kernels."""
    return "x86" in torch.backends.quantized.supported_engines


class Int8Linear(nn.Module):
    """What `linear` says, within a percent or two."""

    def __init__(self, linear: nn.Linear | PackedLinear) -> None:
        super().__init__()
        weight = linear.weight.detach()
        self._packed = torch.ops.quantized.linear_prepack(weight if weight.is_quantized else _rounded(weight), None)
        self._bias = None if linear.bias is None else linear.bias.detach().float()

    def forward(self, x: Tensor) -> Tensor:
        """`(..., in)` float32 to `(..., out)`, without gradients."""
        x = x.detach()
        peak = x.abs().amax(dim=-1, keepdim=True).clamp(min=1e-8)
        y = _linear(x / peak, 1 / _STEPS, _STEPS + 1, self._packed)
        return y.mul_(peak) if self._bias is None else torch.addcmul(self._bias, y, peak, out=y)


def _rounded(weight: Tensor) -> Tensor:
    weight = weight.float()
    scales = weight.abs().amax(dim=1).clamp(min=1e-8) / 127
    whole = (weight * (1 / scales)[:, None]).round_().to(torch.int8)  # four times as fast as quantize_per_channel
    return quantized(whole, scales)


def int8_copy[M: nn.Module](model: M) -> M:
    """The model with every linear layer in eight bits; everything else is shared with the original.

    One that is in eight bits already is only copied.
    """
    return with_linears(model, Int8Linear, {nn.Linear, PackedLinear})
