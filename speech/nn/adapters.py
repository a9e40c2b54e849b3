"""Language-dependent adapters (Bai et al. 2024, "Efficient adapter finetuning for tail languages in streaming
multilingual ASR", section 2): residual bottlenecks after layers of a frozen encoder, one set per language.

    y = x + up(relu(down(norm(x))))

`up` starts at zero, so a new adapter changes nothing. A row of a batch may use one adapter, a mixture of several, or
none, and this may change with each chunk. Rows without an adapter stay bit-identical.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speech.errors import ConfigError
from speech.nn.encoder.base import Tap

BUDGET = 0.004
"""Parameters of an adapter, as a share of the model's parameters (published)."""
_TOLERANCE = 1 / 8
"""Share of the budget that may remain unused: for a budget of .4 % of the model, at least .35 % is used."""


def width_for(parameters: int, dim: int, layers: int, budget: float = BUDGET, tokens: int = 0) -> int:
    """Return the largest bottleneck width for adapters after `layers` layers of width `dim` within the budget.

    Args:
        parameters: number of parameters of the model.
        dim: width of frames.
        layers: number of adapted layers.
        budget: maximum share of `parameters`.
        tokens: number of the adapter's own tokens, whose head rows count too.

    Raises:
        ConfigError: if no width fits, or the largest one leaves more than an eighth of the budget unused.
    """
    rows = tokens * (dim + 1)
    width = math.floor(((budget * parameters - rows) / layers - 3 * dim) / (2 * dim + 1))
    share = (layers * (width * (2 * dim + 1) + 3 * dim) + rows) / parameters
    if width < 1 or share < budget * (1 - _TOLERANCE):
        raise ConfigError(
            f"adapters of {budget:.2%} of {parameters} parameters behind {layers} layers of width {dim}",
            fix="Put them behind fewer layers, or allow them another share.",
        )
    return width


class Adapter(nn.Module):
    """The adapter of one language.

    Args:
        layers: numbers of the encoder layers that it follows, from 1, ascending.
        dim: width of frames.
        width: width of the bottlenecks.
        tokens: tokens that the model's vocabulary lacks, such as letters of another script.

    Raises:
        ConfigError: if the layers are empty or not ascending from 1, or the width is below 1.
    """

    def __init__(self, layers: Sequence[int], dim: int, width: int, tokens: Sequence[str] = ()) -> None:
        super().__init__()
        count = len(layers)
        if not count or list(layers) != sorted(set(layers)) or layers[0] < 1 or width < 1:
            raise ConfigError(f"an adapter of width {width} behind layers {list(layers)}", fix="Ascending, from 1.")
        self.layers, self.dim, self.width, self.tokens = tuple(layers), dim, width, tuple(tokens)
        self.norm_weight = nn.Parameter(torch.ones(count, dim))
        self.norm_bias = nn.Parameter(torch.zeros(count, dim))
        self.down = nn.Parameter(torch.randn(count, width, dim) * dim**-0.5)
        self.down_bias = nn.Parameter(torch.zeros(count, width))
        self.up = nn.Parameter(torch.zeros(count, dim, width))
        self.up_bias = nn.Parameter(torch.zeros(count, dim))
        self.rows = nn.Parameter(torch.zeros(len(self.tokens), dim))
        """Head rows `(tokens, dim)`, one for each of the adapter's own tokens."""
        self.rows_bias = nn.Parameter(torch.zeros(len(self.tokens)))


class Share(NamedTuple):
    """Assignment of a bank's adapters to batch rows, as (row, adapter, weight); a row may occur several times."""

    rows: Tensor
    """(pairs,) row indices."""
    places: Tensor
    """(pairs,) adapter indices in the bank."""
    weights: Tensor
    """(pairs, 1, 1)"""


class _Stack(NamedTuple):
    """Stacked parameters of all adapters after one layer, `(adapters, ...)`."""

    norm_weight: Tensor
    norm_bias: Tensor
    down: Tensor
    down_bias: Tensor
    up: Tensor
    up_bias: Tensor


class AdapterBank(nn.Module):
    """Adapters of several languages, computed together for all rows of a batch.

    A bank is immutable: `without` returns a new bank, so users of the old one are not affected.

    Args:
        adapters: ISO 639-3 code -> adapter; adapters may follow different layers and have different widths.

    Raises:
        ConfigError: if the adapters are for frames of different widths.

    Attributes:
        tokens: code -> the adapter's own tokens, for adapters that have any.
    """

    def __init__(self, adapters: Mapping[str, Adapter]) -> None:
        super().__init__()
        dims = sorted({adapter.dim for adapter in adapters.values()})
        if len(dims) > 1:
            raise ConfigError(f"adapters for frames of {dims} in one bank", fix="All must be for the same base.")
        self.adapters = nn.ModuleDict(adapters)
        self.codes = tuple(adapters)
        self.tokens = {code: adapter.tokens for code, adapter in adapters.items() if adapter.tokens}
        self.layers = frozenset(layer for adapter in adapters.values() for layer in adapter.layers)
        self._stacks: dict[int, _Stack] = {}

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        moved = super()._apply(fn, recurse)
        self._stacks.clear()  # they are still on the old device
        return moved

    def without(self, code: str) -> AdapterBank:
        """Return a bank without the adapter of a language.

        Raises:
            ConfigError: if the bank has no adapter for that language.
        """
        if code not in self.codes:
            raise ConfigError(f"no adapter for {code!r}", fix=f"There are: {', '.join(self.codes) or 'none'}.")
        return AdapterBank({key: adapter for key, adapter in self._by_code().items() if key != code})

    def share(self, wanted: Sequence[Mapping[str, float]]) -> Share | None:
        """Assign adapters to rows; None if no row has one.

        Args:
            wanted: for each row of the batch, code -> weight; codes without an adapter are ignored.
        """
        pairs = [
            (row, self.codes.index(code), weight)
            for row, weights in enumerate(wanted)
            for code, weight in weights.items()
            if code in self.codes and weight > 0
        ]
        if not pairs:
            return None
        rows, places, weights = zip(*pairs, strict=True)
        device = next(self.parameters()).device
        shares = torch.tensor(weights, device=device)[:, None, None]  # (pairs, 1, 1)
        return Share(torch.tensor(rows, device=device), torch.tensor(places, device=device), shares)

    def tap(self, wanted: Sequence[Mapping[str, float]]) -> Tap | None:
        """Return an encoder tap that applies the rows' adapters after each layer, or None if no row has one.

        See `share` for `wanted`.
        """
        share = self.share(wanted)
        return None if share is None else partial(self._behind, share)

    def rows(self, codes: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Head rows `(n, dim)` and biases `(n,)` of these adapters' own tokens, concatenated."""
        own = [self._by_code()[code] for code in codes]
        return torch.cat([adapter.rows for adapter in own]), torch.cat([adapter.rows_bias for adapter in own])

    def _behind(self, share: Share, layer: int, x: Tensor) -> Tensor:
        if layer not in self.layers:
            return x
        own = _Stack(*(values[share.places] for values in self._stack(layer)))  # (pairs, ...)
        h = F.layer_norm(x[share.rows].float(), x.shape[-1:])  # (pairs, time, dim)
        h = torch.addcmul(own.norm_bias[:, None], h, own.norm_weight[:, None])
        z = torch.baddbmm(own.down_bias[:, None], h, own.down.transpose(1, 2)).relu()  # (pairs, time, width)
        y = torch.baddbmm(own.up_bias[:, None], z, own.up.transpose(1, 2))  # (pairs, time, dim)
        y = (share.weights * y).to(x.dtype)
        if x.device.type == "cpu":
            return x.index_add(0, share.rows, y)
        return x.index_put((share.rows,), y, accumulate=True)  # on CUDA, `index_add` adds in no fixed order

    def _stack(self, layer: int) -> _Stack:
        """Stack all adapters of a layer: narrower ones are zero-padded, and missing ones are zero."""
        if layer in self._stacks:
            return self._stacks[layer]
        adapters = self._by_code().values()
        width = max(adapter.width for adapter in adapters)
        rows = []
        for adapter in adapters:
            here = layer in adapter.layers
            place, keep = (adapter.layers.index(layer), 1.0) if here else (0, 0.0)
            spare = width - adapter.width
            rows.append(
                _Stack(
                    adapter.norm_weight[place],
                    adapter.norm_bias[place],
                    F.pad(adapter.down[place], (0, 0, 0, spare)),  # (width, dim)
                    F.pad(adapter.down_bias[place], (0, spare)),
                    F.pad(adapter.up[place], (0, spare)) * keep,  # (dim, width)
                    adapter.up_bias[place] * keep,
                )
            )
        stack = _Stack(*(torch.stack(parts) for parts in zip(*rows, strict=True)))  # (adapters, ...)
        if not any(parameter.requires_grad for parameter in self.parameters()):  # cache only if not in training
            self._stacks[layer] = stack
        return stack

    def _by_code(self) -> dict[str, Adapter]:
        return {code: module for code, module in self.adapters.items() if isinstance(module, Adapter)}
