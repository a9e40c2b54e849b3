"""Language-dependent adapters (Bai et al. 2024, "Efficient adapter finetuning for tail languages in streaming
multilingual ASR", section 2): residual bottlenecks behind layers of a frozen encoder, one set for each language.

    y = x + up(relu(down(norm(x))))

`up` starts at zero, so a new adapter changes nothing. A row of a batch may have one adapter, a mixture of several, or
none, and another one with each chunk; rows without are left as they are, to the last bit.
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
"""Parameters of an adapter, as a share of the model's (published)."""
_TOLERANCE = 1 / 8
"""Of a budget: not less than .35 % of the model where .4 % are asked for."""


def width_for(parameters: int, dim: int, layers: int, budget: float = BUDGET, tokens: int = 0) -> int:
    """Largest width of bottlenecks behind `layers` layers of width `dim` within a share `budget` of `parameters`.

    Args:
        tokens: of the adapter's own, whose rows of the head count too.

    Raises:
        ConfigError: if the largest leaves more than an eighth of it.
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
    """Of one language.

    Args:
        layers: numbers of the encoder layers behind which it works, from 1, ascending.
        dim: of frames.
        width: of bottlenecks.
        tokens: that the model's vocabulary lacks, such as letters of another script.
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
        """Of the head, one for each token of its own."""
        self.rows_bias = nn.Parameter(torch.zeros(len(self.tokens)))


class Share(NamedTuple):
    """Which rows of a batch have which adapters of a bank; a row may be there several times."""

    rows: Tensor
    """(pairs,)"""
    places: Tensor
    """(pairs,) of adapters in the bank."""
    weights: Tensor
    """(pairs, 1, 1)"""


class _Stack(NamedTuple):
    """Parameters of all adapters behind one layer, `(adapters, ...)`."""

    norm_weight: Tensor
    norm_bias: Tensor
    down: Tensor
    down_bias: Tensor
    up: Tensor
    up_bias: Tensor


class AdapterBank(nn.Module):
    """Adapters of several languages, computed at once for all rows of a batch.

    A bank is not changed: `adding` and `without` give others, and whoever uses this one may go on.

    Args:
        adapters: ISO 639-3 code -> adapter; they may stand behind different layers, and have different widths.

    Raises:
        ConfigError: if they are for frames of different widths.

    Attributes:
        tokens: code -> tokens of its adapter's own, for those that have any.
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
        self._stacks.clear()  # which lie where the adapters were
        return moved

    def adding(self, code: str, adapter: Adapter) -> AdapterBank:
        """A bank with one adapter more, or another one for that language."""
        return AdapterBank({**self._by_code(), code: adapter})

    def without(self, code: str) -> AdapterBank:
        """A bank with one adapter less.

        Raises:
            ConfigError: if there is none for that language.
        """
        if code not in self.codes:
            raise ConfigError(f"no adapter for {code!r}", fix=f"There are: {', '.join(self.codes) or 'none'}.")
        return AdapterBank({key: adapter for key, adapter in self._by_code().items() if key != code})

    def share(self, wanted: Sequence[Mapping[str, float]]) -> Share | None:
        """For each row of a batch, code -> weight; codes without an adapter count for nothing. None: no row has any."""
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
        """To be given to an encoder: after each layer, the adapters of its rows; None: no row has any. See `share`."""
        share = self.share(wanted)
        return None if share is None else partial(self._behind, share)

    def rows(self, codes: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Of the head, for the tokens of these adapters one after the other: `(n, dim)`, and biases `(n,)`."""
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
        return x.index_put((share.rows,), y, accumulate=True)  # on CUDA, `index_add` adds in any order

    def _stack(self, layer: int) -> _Stack:
        """Narrower adapters are filled up with zeros, absent ones are zero."""
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
        if not any(parameter.requires_grad for parameter in self.parameters()):  # nobody trains them
            self._stacks[layer] = stack
        return stack

    def _by_code(self) -> dict[str, Adapter]:
        return {code: module for code, module in self.adapters.items() if isinstance(module, Adapter)}
