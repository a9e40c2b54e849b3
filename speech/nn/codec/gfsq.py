"""Grouped finite scalar quantisation (Mentzer et al. 2023; grouped as in Fish-Speech, Liao et al. 2024).

Each group of channels is projected to a few numbers, each of which is rounded to one of a few levels; a code counts the
combinations. There is no codebook to learn and no loss of its own. Gradients pass the rounding unchanged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from speech.errors import ConfigError
from speech.nn.codec.quantized import Quantized, Quantizer
from speech.ranges import Range, check, ranged, within

_MARGIN = 1e-3
"""How far the bounds lie beyond the outermost levels, relative to them."""


@dataclass(kw_only=True, slots=True)
class GfsqConfig:
    """Shape of the codes: `groups` codes per frame, each one of prod(`levels`)."""

    groups: int = ranged(8, least=1)
    levels: list[int] = field(
        default_factory=lambda: [8, 5, 5, 5], metadata=within(Range(least=2, most=64, count=(1, 8)))
    )
    """Levels of each number of a group; the first counts fastest in the code."""
    bounds: int = ranged(1, least=1, most=2)
    """How many times a number is bounded before it is rounded; the published Firefly codec does it twice."""

    def __post_init__(self) -> None:
        check(self, "model.quantizer")


class Gfsq(Quantizer):
    """Grouped finite scalar quantisation of `(batch, time, dim)`.

    Raises:
        ConfigError: if `dim` is no multiple of the number of groups.
    """

    levels: Tensor
    basis: Tensor
    reach: Tensor
    offset: Tensor
    shift: Tensor

    def __init__(self, dim: int, config: GfsqConfig) -> None:
        super().__init__()
        if dim % config.groups:
            raise ConfigError(f"dim {dim} is no multiple of quantizer.groups {config.groups}")
        self.codebooks, self.codebook_size, self.bounds = config.groups, math.prod(config.levels), config.bounds
        width, digits = dim // config.groups, len(config.levels)
        self.down = _uniform(width, config.groups, digits, width)
        self.down_bias = _uniform(width, config.groups, digits)
        self.up = _uniform(digits, config.groups, width, digits)
        self.up_bias = _uniform(digits, config.groups, width)
        with torch.device("cpu"):  # constants stay real even if the model is built without memory
            levels = torch.tensor(config.levels)
            reach = (levels - 1) * (1 + _MARGIN) / 2
            offset = 0.5 * (levels % 2 == 0)
            constants = {
                "levels": levels,
                "basis": torch.cumprod(torch.tensor([1, *config.levels[:-1]]), dim=0),
                "reach": reach,
                "offset": offset,
                "shift": torch.atanh(offset / reach),
            }
        for name, value in constants.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, x: Tensor) -> Quantized:
        with torch.autocast(x.device.type, enabled=False):
            rounded = self._rounded(self._project(x.float()))  # (batch, time, groups, digits)
            digits = (rounded.detach() + self.levels // 2).long()
            codes = (digits * self.basis).sum(dim=-1).transpose(1, 2)
            return Quantized(self._restore(rounded).to(x.dtype), codes, x.new_zeros(()))

    def decode(self, codes: Tensor) -> Tensor:
        return self._restore((self.digits(codes) - self.levels // 2).float()).to(self.down.dtype)

    def digits(self, codes: Tensor) -> Tensor:
        """Levels counted from 0, `(batch, time, codebooks, digits)` int64, of `codes (batch, codebooks, time)`."""
        return codes.transpose(1, 2)[..., None] // self.basis % self.levels

    def _project(self, x: Tensor) -> Tensor:
        grouped = x.unflatten(-1, (self.codebooks, -1))
        return torch.einsum("btgw,gdw->btgd", grouped, self.down.float()) + self.down_bias.float()

    def _rounded(self, z: Tensor) -> Tensor:
        """Whole numbers from -(levels // 2) upwards; the gradient is that of the bounded numbers."""
        for _ in range(self.bounds):
            z = torch.tanh(z + self.shift) * self.reach - self.offset
        return z + (z.round() - z).detach()

    def _restore(self, rounded: Tensor) -> Tensor:
        values = rounded / (self.levels // 2)  # between -1 and 1
        return (torch.einsum("btgd,gwd->btgw", values, self.up.float()) + self.up_bias.float()).flatten(2)


def _uniform(fan_in: int, *shape: int) -> nn.Parameter:
    """A parameter that starts as those of `nn.Linear` do."""
    bound = fan_in**-0.5
    return nn.Parameter(nn.init.uniform_(torch.empty(shape), -bound, bound))
