"""Packed int8 weights for `int8_kernels`, on machines with a supported instruction set (`instructions`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from speech.compiled import load
from speech.nn.cpu.instructions import needed

_FACTORS, _ZERO = 4, 128
"""Numbers multiplied together per column, and the unsigned value of zero."""


def int8_kernels() -> Any:
    """Load the module `int8_kernels`."""
    return load("speech.nn.cpu.int8_kernels")


class Packed(NamedTuple):
    """Packed matrices of equal shape, such as one matrix of each layer."""

    numbers: np.ndarray
    """(matrices, out / width, in / 4, width, 4) int8, rounded up; `Instructions` sets the width and the order of 4."""
    scales: np.ndarray
    """(matrices, out) float32"""
    offsets: np.ndarray
    """(matrices, out) int32: contribution of the unsigned zero to each sum"""
    bias: np.ndarray
    """(matrices, out) float32"""

    def rows(self, places: np.ndarray) -> np.ndarray:
        """Dequantize rows `places (n,)` of the first matrix: `(n, in)` float32, `in` rounded up to a multiple of 4."""
        width, order = self.numbers.shape[3], needed().order
        found = self.numbers[0, places // width, :, places % width][..., order]  # (n, in / 4, 4)
        return found.reshape(len(places), -1) * self.scales[0, places, None]


def pack(weights: Sequence[Tensor], biases: Sequence[Tensor | None]) -> Packed:
    """Pack matrices `(out, in)`, quantized with one scale per output, and their biases."""
    host, (out, width) = needed(), weights[0].shape
    blocks, depth = -(-out // host.width), -(-width // _FACTORS)
    # torch aligns memory to cache lines, unlike numpy.
    numbers = torch.empty(len(weights), blocks, depth, host.width, _FACTORS, dtype=torch.int8).numpy()
    offsets = np.empty((len(weights), out), np.int32)
    for n, weight in enumerate(weights):
        whole = weight.int_repr().numpy()  # (out, in)
        padded = np.pad(whole, ((0, -out % host.width), (0, -width % _FACTORS)))
        numbers[n] = padded.reshape(blocks, host.width, depth, _FACTORS)[..., host.order].transpose(0, 2, 1, 3)
        offsets[n] = whole.sum(axis=1, dtype=np.int32) * _ZERO
    scales = np.stack([weight.q_per_channel_scales().float().numpy() for weight in weights])
    bias = [np.zeros(out, np.float32) if one is None else one.numpy() for one in biases]
    return Packed(numbers, scales, offsets, np.stack(bias))


def product(x: Tensor, weights: Packed, out: int) -> Tensor:
    """Multiply `x (..., in)` float32 by the first matrix: `(..., out)`."""
    rows = np.ascontiguousarray(x.detach().reshape(-1, x.shape[-1]).numpy())  # (n, in)
    y = np.empty((len(rows), out), np.float32)
    int8_kernels().product(rows, weights, 0, y)
    return torch.from_numpy(y).view(*x.shape[:-1], out)
