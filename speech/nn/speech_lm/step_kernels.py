"""Kernels for steps of causal transformers, in int8 or float32. Only `speech.compiled.load` imports this module.

What is computed for a row does not depend on the other rows, to the last bit.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types
from numba.extending import overload

from speech.nn.cpu.int8_kernels import EXACT, dot, product
from speech.nn.cpu.int8_weights import Packed
from speech.vector_math import exponential

_TOGETHER = 4
"""Rows of a float matrix that are read at once."""


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def float_rows(x, weights, layer, y):  # type: ignore[no-untyped-def]
    """Multiply `x (rows, width)` by matrix `layer` of `weights`, a `compiled.Matrices`, into `y (rows, out)`."""
    matrix, bias = weights.numbers[layer], weights.bias[layer]
    width, outs = matrix.shape
    for row in range(len(x)):
        for out in range(outs):
            y[row, out] = bias[out]
    whole = width - width % _TOGETHER
    for k in range(0, whole, _TOGETHER):
        first, second, third, fourth = matrix[k], matrix[k + 1], matrix[k + 2], matrix[k + 3]
        for row in range(len(x)):
            a, b, c, d = x[row, k], x[row, k + 1], x[row, k + 2], x[row, k + 3]
            own = y[row]
            for out in range(outs):
                own[out] += (a * first[out] + b * second[out]) + (c * third[out] + d * fourth[out])
    for k in range(whole, width):
        for row in range(len(x)):
            for out in range(outs):
                y[row, out] += x[row, k] * matrix[k, out]


def multiply(x, weights, layer, y):  # type: ignore[no-untyped-def]
    """`product` or `float_rows`, by the kind of the weights."""
    raise NotImplementedError("called in compiled code only")


@overload(multiply)
def _multiply(x, weights, layer, y):  # type: ignore[no-untyped-def]
    if isinstance(weights, types.NamedTuple) and weights.instance_class is Packed:
        return lambda x, weights, layer, y: product(x, weights, layer, y)
    return lambda x, weights, layer, y: float_rows(x, weights, layer, y)


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def project(x, weights, y):  # type: ignore[no-untyped-def]
    """Multiply `x (rows, width)` by the first matrix of `weights` into `y (rows, out)`."""
    multiply(x, weights, 0, y)


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def rms_norm(x, weight, eps, y):  # type: ignore[no-untyped-def]
    """RMSNorm of `x (rows, dim)` with `weight (dim,)` into `y`."""
    dim = np.float32(x.shape[1])
    for row in range(len(x)):
        scale = np.float32(1.0) / np.sqrt(dot(x[row], x[row]) / dim + eps)
        for n in range(x.shape[1]):
            y[row, n] = x[row, n] * scale * weight[n]


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def add(x, y):  # type: ignore[no-untyped-def]
    """`y (rows, dim) += x`."""
    for row in range(len(y)):
        for n in range(y.shape[1]):
            y[row, n] += x[row, n]


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def rotate(x, count, cis):  # type: ignore[no-untyped-def]
    """Turn pairs of channels of the first `count` heads of `x (heads, size)` by `cis (size / 2, 2)`, in place."""
    for head in range(count):
        for pair in range(len(cis)):
            a, b = x[head, 2 * pair], x[head, 2 * pair + 1]
            x[head, 2 * pair] = a * cis[pair, 0] - b * cis[pair, 1]
            x[head, 2 * pair + 1] = a * cis[pair, 1] + b * cis[pair, 0]


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def attend(queries, keys, values, seen, y):  # type: ignore[no-untyped-def]
    """Attention of `queries (heads, size)` to the first `seen` places, into `y (heads, size)`.

    `keys` and `values` are `(places, kv_heads, size)`.
    """
    heads, size = y.shape
    group = heads // keys.shape[1]
    scale = np.float32(size**-0.5)
    scores, ones = np.empty(seen, np.float32), np.ones(seen, np.float32)
    for head in range(heads):
        own, query = head // group, queries[head]
        peak = np.float32(-np.inf)
        for place in range(seen):
            scores[place] = dot(query, keys[place, own]) * scale
            peak = max(peak, scores[place])
        for place in range(seen):
            scores[place] = exponential(scores[place] - peak)
        total = dot(scores, ones)
        for n in range(size):
            y[head, n] = 0.0
        for place in range(seen):
            share = scores[place] / total
            for n in range(size):
                y[head, n] += share * values[place, own, n]


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def gated(x, y):  # type: ignore[no-untyped-def]
    """silu(gate) * up of `x (rows, 2 * hidden)`, gates first, into `y (rows, hidden)`."""
    hidden = y.shape[1]
    for row in range(len(x)):
        for n in range(hidden):
            gate = x[row, n]
            y[row, n] = gate / (np.float32(1.0) + exponential(min(-gate, np.float32(80.0)))) * x[row, hidden + n]


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def step(x, slots, places, cis, heads, eps, weights, cache):  # type: ignore[no-untyped-def]
    """Run new places through all layers; those of a sequence stand in order.

    Args:
        x: inputs `(n, dim)`; overwritten by the outputs.
        slots: `(n,)`: the sequence of each place.
        places: `(n,)`: its number in its sequence, from 0.
        cis: `(positions, size / 2, 2)`: cosines and sines.
        heads: of queries.
        eps: of the norms, float32.
        weights: `compiled.StepWeights`.
        cache: `(slots, layers, 2, places, kv_heads, size)`: keys and values of earlier places; the new ones are added.
    """
    count = len(x)
    kv_heads, size = cache.shape[4], cache.shape[5]
    projected = np.empty((count, (heads + 2 * kv_heads) * size), np.float32)
    split = projected.reshape(count, heads + 2 * kv_heads, size)
    hidden = np.empty((count, weights.gate_up.bias.shape[1] // 2), np.float32)
    both = np.empty((count, 2 * hidden.shape[1]), np.float32)
    normed, attended, more = np.empty_like(x), np.empty_like(x), np.empty_like(x)
    for layer in range(cache.shape[1]):
        rms_norm(x, weights.norms[layer, 0], eps, normed)
        multiply(normed, weights.qkv, layer, projected)
        for n in range(count):
            rotate(split[n], heads + kv_heads, cis[places[n]])
            own = cache[slots[n], layer]
            for head in range(kv_heads):
                for k in range(size):
                    own[0, places[n], head, k] = split[n, heads + head, k]
                    own[1, places[n], head, k] = split[n, heads + kv_heads + head, k]
        for n in range(count):
            own = cache[slots[n], layer]
            attend(split[n], own[0], own[1], places[n] + 1, attended[n].reshape(heads, size))
        multiply(attended, weights.out, layer, more)
        add(more, x)
        rms_norm(x, weights.norms[layer, 1], eps, normed)
        multiply(normed, weights.gate_up, layer, both)
        gated(both, hidden)
        multiply(hidden, weights.down, layer, more)
        add(more, x)


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def choose(x, rows, slots, places, cis, heads, eps, weights, cache, outputs, number, y):  # type: ignore[no-untyped-def]
    """`step`, and the scores `y (rows, size)` behind the last `rows` places by matrix `number` of `outputs`."""
    step(x, slots, places, cis, heads, eps, weights, cache)
    last = x[len(x) - rows :]
    normed = np.empty_like(last)
    rms_norm(last, weights.final, eps, normed)
    multiply(normed, outputs, number, y)
