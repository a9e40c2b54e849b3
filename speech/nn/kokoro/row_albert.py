"""`Albert` of one row, on `(time, dim)`: fewer and larger products than the module has, in float32 or bfloat16."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speech.nn.cpu.packed import packed_weight, packing_runs
from speech.nn.kokoro.albert import Albert

_SUMMED = 1024
"""Inputs that are summed in one product; products are added. oneDNN may divide longer sums among threads, and then
results depend on the number of threads."""
_TILE = 16
"""Rows are filled up to a multiple of this. It costs little, since tiles of matrix units have as many rows, and without
it oneDNN would compile, and keep, kernels for each length of text: half a megabyte for each product."""


class Product:
    """Linear layers of the same inputs, whose outputs stand one behind the other. On CPUs with oneDNN, weights are
    packed once, and what is done with sums is done while they are in registers.

    Args:
        linears: whose parameters are copied.
        dtype: of weights, inputs and outputs.
    """

    def __init__(self, linears: Sequence[nn.Linear], dtype: torch.dtype) -> None:
        weight = torch.cat([linear.weight.detach() for linear in linears]).to(dtype)
        self._bias = torch.cat([linear.bias.detach() for linear in linears]).to(dtype)
        self._packed = weight.device.type == "cpu" and packing_runs()
        self._parts = [packed_weight(part) for part in weight.split(_SUMMED, dim=1)] if self._packed else [weight]

    def __call__(self, x: Tensor, added: Tensor | None = None) -> Tensor:
        """`x (time, inputs)` to `(time, outputs)`, with `added (time, outputs)`."""
        if not self._packed:
            y = F.linear(x, self._parts[0], self._bias)
            return y if added is None else y + added
        for number, (own, part) in enumerate(zip(x.split(_SUMMED, dim=1), self._parts, strict=True)):
            bias = None if number else self._bias
            if added is None:
                added = torch.ops.mkldnn._linear_pointwise(own, part, bias, "none", [], "")
            else:
                added = torch.ops.mkldnn._linear_pointwise.binary(own, added, part, bias, "add")
        assert added is not None
        return added

    def gelu(self, x: Tensor) -> Tensor:
        """GELU, in its tanh form, of `(time, outputs)`; of at most 1,024 inputs."""
        if not self._packed:
            return F.gelu(self(x), approximate="tanh")
        (part,) = self._parts
        y: Tensor = torch.ops.mkldnn._linear_pointwise(x, part, self._bias, "gelu", [], "tanh")
        return y


class AlbertRow:
    """`Albert` of one row.

    Args:
        albert: whose parameters are copied.
        dtype: of everything behind the embedding.
    """

    def __init__(self, albert: Albert, dtype: torch.dtype) -> None:
        self._albert, self._dtype = albert, dtype
        attention, feed_forward = albert.layer.attention, albert.layer.feed_forward
        self._heads = attention.heads
        self._read = Product([attention.query, attention.key, attention.value], dtype)
        self._out = Product([attention.out], dtype)
        self._up, self._down = Product([feed_forward.up], dtype), Product([feed_forward.down], dtype)
        self._norms = [_Norm(norm, dtype) for norm in (albert.layer.attention_norm, albert.layer.norm)]

    def __call__(self, symbols: Tensor) -> Tensor:
        """Symbols `(time,)` to float32 frames `(time, dim)`, each of which sees all."""
        count = len(symbols)
        x = F.pad(self._albert.embedded(symbols).to(self._dtype), (0, 0, 0, -count % _TILE))
        for _ in range(self._albert.repeats):
            x = self._norms[0](self._out(self._attended(x, count), x))
            x = self._norms[1](self._down(self._up.gelu(x), x))
        return x[:count].float()

    def _attended(self, x: Tensor, count: int) -> Tensor:
        """Each of the first `count` frames attends to these."""
        parts = self._read(x)[:count].view(count, 3, self._heads, -1)
        query, key, value = parts.permute(1, 2, 0, 3)[:, None].unbind()  # (1, heads, count, dim / heads) each
        y = F.scaled_dot_product_attention(query, key, value)[0].transpose(0, 1).flatten(1)
        return F.pad(y, (0, 0, 0, len(x) - count))


class _Norm:
    """`nn.LayerNorm` in a type."""

    def __init__(self, norm: nn.LayerNorm, dtype: torch.dtype) -> None:
        self._weight, self._bias = norm.weight.detach().to(dtype), norm.bias.detach().to(dtype)
        self._shape, self._eps = norm.normalized_shape, norm.eps

    def __call__(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self._shape, self._weight, self._bias, self._eps)
