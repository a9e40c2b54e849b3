"""Matrix products with int8 weights. Only `compiled.load` imports this module."""

from __future__ import annotations

import numpy as np
from numba import njit

from speech.nn.cpu.instructions import needed
from speech.nn.cpu.tiles import LANES, MOST_ROWS, dot_tile, tiles

EXACT = {"nnan", "nsz"}
"""Fast-math flags that never change rounding, so that results do not depend on how a kernel is compiled, inlined or
cached."""
_STEPS = 127
_TOGETHER = 16 * MOST_ROWS
"""Rows processed together, so that their factors stay in the CPU cache while all weights are read."""
_HOST = needed()
_WIDTH, _FACTOR = _HOST.width, np.uint8 if _HOST.dot else np.int16
_int8_tile, _float_tile = tiles(_HOST)


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def quantize(x, numbers, peaks):  # type: ignore[no-untyped-def]
    """Quantize `x (rows, width)` in steps of 1/127 of each row's peak, offset by 128 to be unsigned.

    Writes `numbers (rows, padded width)` and the step sizes `peaks (rows,)`.
    """
    for row in range(x.shape[0]):
        peak = np.float32(1e-8)
        for n in range(x.shape[1]):
            peak = max(peak, abs(x[row, n]))
        peaks[row] = peak / np.float32(_STEPS)
        scale = np.float32(_STEPS) / peak
        for n in range(x.shape[1]):
            numbers[row, n] = _FACTOR(np.int32(np.floor(x[row, n] * scale + np.float32(128.5))))
        for n in range(x.shape[1], numbers.shape[1]):
            numbers[row, n] = _FACTOR(0)  # padding, whose weights are 0


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def product(x, weights, layer, y):  # type: ignore[no-untyped-def]
    """Multiply `x (rows, width)` by matrix `layer` of `weights`, an `int8_weights.Packed`, into `y (rows, out)`."""
    packed, scales = weights.numbers[layer], weights.scales[layer]
    offsets, bias = weights.offsets[layer], weights.bias[layer]
    rows, outs, depth = x.shape[0], y.shape[1], packed.shape[1]
    numbers, peaks = np.empty((rows, 4 * depth), _FACTOR), np.empty(rows, np.float32)
    quantize(x, numbers, peaks)
    sums = np.empty((MOST_ROWS, _WIDTH), np.int32)
    for start in range(0, rows, _TOGETHER):
        for block in range(packed.shape[0]):
            first = block * _WIDTH
            address = packed[block].ctypes.data
            for row in range(start, min(rows, start + _TOGETHER), MOST_ROWS):
                count = min(rows - row, MOST_ROWS)
                factors = numbers[row:].ctypes.data
                _int8_tile(count, address, 4 * _WIDTH, factors, numbers.strides[0], depth, sums.ctypes.data)
                for n in range(count):
                    peak = peaks[row + n]
                    for out in range(min(outs - first, _WIDTH)):
                        at = first + out
                        y[row + n, at] = np.float32(sums[n, out] - offsets[at]) * (scales[at] * peak) + bias[at]


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def float_product(a, b, y):  # type: ignore[no-untyped-def]
    """`y (rows, columns) = a (rows, depth) @ b (depth, columns)`, with columns in whole tiles and `b` as bfloat16 bits.

    Rows need not be contiguous.
    """
    sums = np.empty((MOST_ROWS, _WIDTH), np.float32)
    rows, depth = a.shape
    for first in range(0, b.shape[1], _WIDTH):
        for row in range(0, rows, MOST_ROWS):
            count = min(rows - row, MOST_ROWS)
            address = b[:, first:].ctypes.data
            _float_tile(count, address, b.strides[0], a[row:].ctypes.data, a.strides[0], depth, sums.ctypes.data)
            for n in range(count):
                for column in range(_WIDTH):
                    y[row + n, first + column] = sums[n, column]


@njit(inline="always")
def dot(a, b):  # type: ignore[no-untyped-def]
    """Dot product of two float32 arrays `(n,)`."""
    blocks = len(a) // LANES
    total = dot_tile(a.ctypes.data, b.ctypes.data, blocks)
    for n in range(blocks * LANES, len(a)):
        total += a[n] * b[n]
    return total
