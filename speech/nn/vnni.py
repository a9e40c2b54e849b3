"""Eight-bit weights as the kernels of `int8_kernels` read them, on CPUs with AVX-512 and VNNI."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from speech.compiled import load

WIDTH = 64
"""Columns of a tile: four registers."""
_FACTORS, _ZERO = 4, 128
"""Numbers that an instruction multiplies for each column, and what an unsigned zero is."""
_NEEDED = ("avx512f", "avx512bw", "avx512vnni")


@cache
def vnni_runs() -> bool:
    """Whether this machine has the instructions."""
    from llvmlite import binding  # with numba: a tenth of a second

    features: dict[str, bool] = dict(binding.get_host_cpu_features())
    return all(features.get(name, False) for name in _NEEDED)


def int8_kernels() -> Any:
    """The module `int8_kernels`."""
    return load("speech.nn.int8_kernels")


class Packed(NamedTuple):
    """Matrices of one shape, such as the same one of all layers."""

    numbers: np.ndarray
    """(matrices, out / 64, in / 4, 64, 4) int8, rounded up"""
    scales: np.ndarray
    """(matrices, out) float32"""
    offsets: np.ndarray
    """(matrices, out) int32: what the unsigned zero adds to each sum"""
    bias: np.ndarray
    """(matrices, out) float32"""

    def rows(self, places: np.ndarray) -> np.ndarray:
        """Rows `places (n,)` of the first matrix: `(n, in)` float32, `in` rounded up to a multiple of four."""
        found = self.numbers[0, places // WIDTH, :, places % WIDTH]
        return found.reshape(len(places), -1) * self.scales[0, places, None]


def pack(weights: Sequence[Tensor], biases: Sequence[Tensor | None]) -> Packed:
    """Matrices `(out, in)`, quantized with a scale for each output, and their biases."""
    out, width = weights[0].shape
    blocks, depth = -(-out // WIDTH), -(-width // _FACTORS)
    # At the beginning of a cache line, unlike numpy's own memory.
    numbers = torch.empty(len(weights), blocks, depth, WIDTH, _FACTORS, dtype=torch.int8).numpy()
    offsets = np.empty((len(weights), out), np.int32)
    for n, weight in enumerate(weights):
        whole = weight.int_repr().numpy()
        padded = np.pad(whole, ((0, -out % WIDTH), (0, -width % _FACTORS)))
        numbers[n] = padded.reshape(blocks, WIDTH, depth, _FACTORS).transpose(0, 2, 1, 3)
        offsets[n] = whole.sum(axis=1, dtype=np.int32) * _ZERO
    scales = np.stack([weight.q_per_channel_scales().float().numpy() for weight in weights])
    bias = [np.zeros(out, np.float32) if one is None else one.numpy() for one in biases]
    return Packed(numbers, scales, offsets, np.stack(bias))


def product(x: Tensor, weights: Packed, out: int) -> Tensor:
    """`x (..., in)` float32 by the first matrix: `(..., out)`."""
    rows = np.ascontiguousarray(x.detach().reshape(-1, x.shape[-1]).numpy())
    y = np.empty((len(rows), out), np.float32)
    int8_kernels().product(rows, weights, 0, y)
    return torch.from_numpy(y).view(*x.shape[:-1], out)
