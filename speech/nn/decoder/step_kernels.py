"""Kernels for a step of an int8 label decoder. Only `speech.compiled.load` imports this module."""

from __future__ import annotations

import numpy as np
from numba import njit

from speech.nn.cpu.int8_kernels import EXACT, dot, float_product, product
from speech.vector_math import bfloat16, exponential, gelu


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def norm(x, weights, y):  # type: ignore[no-untyped-def]
    """Layer norm of `x (rows, dim)` into `y`; `weights (2, dim)` are scale and bias."""
    dim, ones = np.float32(x.shape[1]), np.ones(x.shape[1], np.float32)
    for row in range(x.shape[0]):
        mean = dot(x[row], ones) / dim
        for n in range(x.shape[1]):
            y[row, n] = x[row, n] - mean
        scale = np.float32(1.0) / np.sqrt(dot(y[row], y[row]) / dim + np.float32(1e-5))
        for n in range(x.shape[1]):
            y[row, n] = y[row, n] * scale * weights[0, n] + weights[1, n]


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def add(x, y):  # type: ignore[no-untyped-def]
    """`y (rows, dim) += x`."""
    for row in range(y.shape[0]):
        for n in range(y.shape[1]):
            y[row, n] += x[row, n]


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def softmax(scores, scale, ones):  # type: ignore[no-untyped-def]
    """Softmax of `scale * scores (n,)`, in place; `ones` has at least n elements."""
    peak = scores[0]
    for n in range(len(scores)):
        peak = max(peak, scores[n])
    for n in range(len(scores)):
        scores[n] = exponential((scores[n] - peak) * scale)
    total = dot(scores, ones)
    for n in range(len(scores)):
        scores[n] /= total


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def activate(x):  # type: ignore[no-untyped-def]
    """GELU of `x (rows, hidden)`, in place."""
    for row in range(x.shape[0]):
        for n in range(x.shape[1]):
            x[row, n] = gelu(x[row, n])


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def self_attention(queries, keys, values, origin, past, count, y):  # type: ignore[no-untyped-def]
    """Causal self-attention of `count` new tokens per hypothesis over its past and the new tokens.

    Args:
        queries: `(rows * count, heads or more, dim / heads)`.
        keys, values: `(places, slots, heads, dim / heads)`.
        origin: `(rows, past)`: slot of each past place of a hypothesis; new places are in the hypothesis's own slot.
        y: output `(rows * count, heads, dim / heads)`.
    """
    heads, size = y.shape[1], y.shape[2]
    scale = np.float32(size**-0.5)
    scores, ones = np.empty((heads, past + count), np.float32), np.ones(past + count, np.float32)
    for n in range(y.shape[0]):
        row, own = divmod(n, count)
        seen = past + own + 1
        for place in range(seen):
            slot = origin[row, place] if place < past else row
            for head in range(heads):
                scores[head, place] = dot(queries[n, head], keys[place, slot, head])
        for head in range(heads):
            softmax(scores[head, :seen], scale, ones)
            for k in range(size):
                y[n, head, k] = 0.0
        for place in range(seen):
            slot = origin[row, place] if place < past else row
            for head in range(heads):
                share = scores[head, place]
                for k in range(size):
                    y[n, head, k] += share * values[place, slot, head, k]


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def cross_attention(queries, keys, values, frames, y):  # type: ignore[no-untyped-def]
    """Cross-attention of `queries (n, dim)` to the first `frames` frames, written to `y (n, dim)`.

    `keys (heads, dim / heads, T)` and `values (heads, T, dim / heads)` are bfloat16 bits; T and the last dimension of
    `values` are rounded up to whole tiles.
    """
    heads, size = keys.shape[0], keys.shape[1]
    y = y.reshape(len(queries), heads, size)
    scale = np.float32(size**-0.5)
    scores = np.empty((len(queries), keys.shape[2]), np.float32)
    attended, ones = np.empty((len(queries), values.shape[2]), np.float32), np.ones(frames, np.float32)
    for head in range(heads):
        first = head * size
        float_product(queries[:, first : first + size], keys[head], scores)
        for n in range(len(queries)):
            softmax(scores[n, :frames], scale, ones)
        float_product(scores[:, :frames], values[head], attended)
        for n in range(len(queries)):
            for k in range(size):
                y[n, head, k] = attended[n, k]


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def listen(heard, weights, first_frame, keys, values):  # type: ignore[no-untyped-def]
    """Compute `compiled.CrossKeysValues` `(layers, heads, ...)` of the frames `heard (frames, dim)`.

    `weights` are the key and value projections of all layers. Results are written to `keys` and `values`, from
    `first_frame` on.
    """
    layers, heads, size = keys.shape[0], keys.shape[1], keys.shape[2]
    frames, dim = heard.shape[0], heads * size
    projected = np.empty((frames, 2 * dim), np.float32)
    for layer in range(layers):
        product(heard, weights, layer, projected)
        for head in range(heads):
            first = head * size
            for start in range(0, frames, 32):  # rows that stay in the CPU cache while they are transposed
                end = min(frames, start + 32)
                for k in range(size):
                    for frame in range(start, end):
                        keys[layer, head, k, first_frame + frame] = bfloat16(projected[frame, first + k])
                for frame in range(start, end):
                    for k in range(size):
                        values[layer, head, first_frame + frame, k] = bfloat16(projected[frame, dim + first + k])


@njit(cache=True, nogil=True, fastmath=EXACT, error_model="numpy")
def step(x, count, weights, cross, frames, keys, values, origin, past, asked, queries, y):  # type: ignore[no-untyped-def]
    """Run `count` tokens of each hypothesis through all layers.

    Args:
        x: embedded tokens `(rows * count, dim)`; overwritten.
        weights: `compiled.Weights`.
        cross: `compiled.CrossKeysValues`, of which `frames` are real.
        keys, values: `(layers, places, slots, heads, dim / heads)` with `past` filled places; `count` are added.
        origin: see `self_attention`.
        asked, queries: outputs `(layers, rows * count, dim)`: input and queries of cross-attention.
        y: output `(rows * count, dim)`.
    """
    heads, size, dim = cross.keys.shape[1], cross.keys.shape[2], x.shape[1]
    projected = np.empty((len(x), 3 * dim), np.float32)
    split = projected.reshape(len(x), 3 * heads, size)
    hidden = np.empty((len(x), weights.up.scales.shape[1]), np.float32)
    normed, attended, more = np.empty_like(x), np.empty_like(x), np.empty_like(x)
    for layer in range(len(keys)):
        norm(x, weights.norms[layer, 0], normed)
        product(normed, weights.own, layer, projected)
        for n in range(len(x)):
            row, own = divmod(n, count)
            for head in range(heads):
                for k in range(size):
                    keys[layer, past + own, row, head, k] = split[n, heads + head, k]
                    values[layer, past + own, row, head, k] = split[n, 2 * heads + head, k]
        self_attention(split, keys[layer], values[layer], origin, past, count, attended.reshape(len(x), heads, size))
        product(attended, weights.own_out, layer, more)
        add(more, x)
        norm(x, weights.norms[layer, 1], asked[layer])
        product(asked[layer], weights.query, layer, queries[layer])
        cross_attention(queries[layer], cross.keys[layer], cross.values[layer], frames, attended)
        product(attended, weights.cross_out, layer, more)
        add(more, x)
        norm(x, weights.norms[layer, 2], normed)
        product(normed, weights.up, layer, hidden)
        activate(hidden)
        product(hidden, weights.down, layer, more)
        add(more, x)
    norm(x, weights.final, y)
