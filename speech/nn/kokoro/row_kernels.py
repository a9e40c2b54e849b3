"""Kernels for one row of Kokoro on `(time, channels)`. Only `speech.compiled.load` imports this module.

Numbers in bfloat16 are given by their bits as int16. Parameters of `FoldedSnake` are `(5, channels)`, in its order.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from speech.nn.cpu.int8_kernels import EXACT
from speech.vector_math import bfloat16, logistic, sine_squared, widened

_TOGETHER = 4
"""Rows of a matrix that are read at once."""


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def snake(x, parameters, y):  # type: ignore[no-untyped-def]
    """Snake of `x (time, channels)` float32 into `y`, bfloat16."""
    scale, shift, rate, phase, height = parameters
    for row in range(len(x)):
        for n in range(x.shape[1]):
            v = x[row, n]
            y[row, n] = bfloat16(scale[n] * v + shift[n] + height[n] * sine_squared(rate[n] * v + phase[n]))


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def narrow_snake(x, parameters):  # type: ignore[no-untyped-def]
    """Snake of `x (time, channels)` bfloat16 in its place."""
    scale, shift, rate, phase, height = parameters
    for row in range(len(x)):
        for n in range(x.shape[1]):
            v = widened(x[row, n])
            x[row, n] = bfloat16(scale[n] * v + shift[n] + height[n] * sine_squared(rate[n] * v + phase[n]))


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def added_snake(x, more, parameters, total, y):  # type: ignore[no-untyped-def]
    """`x (time, channels)` float32 + `more` bfloat16 into `total` float32, which may be `x`, and Snake of it into `y`
    bfloat16, which may be `more`."""
    scale, shift, rate, phase, height = parameters
    for row in range(len(x)):
        for n in range(x.shape[1]):
            v = x[row, n] + widened(more[row, n])
            total[row, n] = v
            y[row, n] = bfloat16(scale[n] * v + shift[n] + height[n] * sine_squared(rate[n] * v + phase[n]))


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def add(x, more, total):  # type: ignore[no-untyped-def]
    """`total (time, channels) += x + more`, the last in bfloat16."""
    for row in range(len(x)):
        for n in range(x.shape[1]):
            total[row, n] += x[row, n] + widened(more[row, n])


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def lstm(gates, weights, backward, y):  # type: ignore[no-untyped-def]
    """One direction of an LSTM.

    Args:
        gates: what its input and its biases give, `(time, 4 * dim)` float32: input, forget, cell, output.
        weights: from state to gates `(dim, 4 * dim)` bfloat16.
        backward: whether it begins at the end.
        y: its states `(time, dim)` float32, which are written.
    """
    time, dim = y.shape
    state, cell, sums = np.zeros(dim, np.float32), np.zeros(dim, np.float32), np.empty(4 * dim, np.float32)
    two, one, whole = np.float32(2.0), np.float32(1.0), dim - dim % _TOGETHER
    for step in range(time):
        frame = time - 1 - step if backward else step
        for n in range(4 * dim):
            sums[n] = gates[frame, n]
        for k in range(0, whole, _TOGETHER):
            a, b, c, d = state[k], state[k + 1], state[k + 2], state[k + 3]
            first, second, third, fourth = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
            for n in range(4 * dim):
                sums[n] += (a * widened(first[n]) + b * widened(second[n])) + (
                    c * widened(third[n]) + d * widened(fourth[n])
                )
        for k in range(whole, dim):
            for n in range(4 * dim):
                sums[n] += state[k] * widened(weights[k, n])
        for n in range(dim):
            fresh = two * logistic(two * sums[2 * dim + n]) - one  # tanh
            cell[n] = logistic(sums[dim + n]) * cell[n] + logistic(sums[n]) * fresh
            state[n] = logistic(sums[3 * dim + n]) * (two * logistic(two * cell[n]) - one)
            y[frame, n] = state[n]
