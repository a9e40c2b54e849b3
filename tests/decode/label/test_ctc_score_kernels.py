"""Compiled paths: where rows begin, and which texts are likeliest."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from speech.compiled import load
from speech.decode.label.ctc_score import KERNELS


def by_all_ways(attention):
    rows, frames = attention.shape
    ways = itertools.combinations(range(1, frames), rows - 1)
    bounds = ([0, *way, frames] for way in ways)
    return max(
        (sum(attention[row, begins[row] : begins[row + 1]].sum() for row in range(rows)), begins[:-1])
        for begins in bounds
    )


@given(rows=st.integers(1, 4), more=st.integers(0, 4), seed=st.integers(0, 999))
def test_rows_begin_where_the_sum_along_the_path_is_highest(rows, more, seed):
    attention = np.random.default_rng(seed).normal(size=(rows, rows + more))
    _, begins = by_all_ways(attention)
    assert load(KERNELS).warped(attention).tolist() == begins


@given(
    rows=st.integers(1, 4), tokens=st.integers(1, 9), more=st.integers(0, 3), count=st.integers(1, 12),
    preferred=st.booleans(), seed=st.integers(0, 999),
)  # fmt: skip
def test_the_likeliest_longer_texts_are_those_of_a_sorted_softmax(rows, tokens, more, count, preferred, seed):
    random = np.random.default_rng(seed)
    logits = random.normal(size=(rows, tokens + more)).astype(np.float32)
    forbidden = np.where(random.random(tokens) < 0.3, np.float32(-1e30), np.float32(0))
    forbidden[0] = 0
    before = random.normal(size=rows).astype(np.float32)
    bonus = random.normal(size=(rows, tokens if preferred else 0)).astype(np.float32)
    allowed = np.where(forbidden == 0, logits[:, :tokens].astype(np.float64), -np.inf)
    expected = before[:, None] + allowed - np.log(np.exp(allowed).sum(axis=1, keepdims=True))
    ranks = expected + bonus if preferred else expected
    order = np.argsort(-ranks, axis=None)[:count]
    order = order[np.isfinite(ranks.flat[order])]
    scores, found, written = load(KERNELS).best(logits, forbidden, before, bonus, count)
    assert (found * tokens + written).tolist() == order.tolist()
    np.testing.assert_allclose(scores, expected.flat[order], atol=1e-4)
