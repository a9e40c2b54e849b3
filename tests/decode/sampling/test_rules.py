"""Rules of sampling: tables, and properties for any scores."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from speech.decode.sampling import rules

ROWS = st.integers(1, 4).flatmap(
    lambda rows: st.integers(1, 12).flatmap(
        lambda n: st.lists(st.lists(st.floats(-20, 20, width=32), min_size=n, max_size=n), min_size=rows, max_size=rows)
    )
)


def column(*values: float) -> Tensor:
    return torch.tensor(values)[:, None]


def logits(*shares: float) -> Tensor:
    return torch.tensor([shares]).log()


@pytest.mark.parametrize(
    ("share", "kept"),
    [(0.4, [1]), (0.5, [1]), (0.81, [1, 3]), (0.95, [0, 1, 3]), (1.0, [0, 1, 2, 3]), (0.01, [1])],
)
def test_top_p_keeps_what_sums_up_to_the_share_and_the_best(share, kept):
    found = rules.top_p(logits(0.14, 0.5, 0.06, 0.3), column(share))
    assert found[0].isfinite().nonzero().flatten().tolist() == kept


@pytest.mark.parametrize(
    ("count", "kept"), [(0, [0, 1, 2, 3]), (1, [1]), (2, [1, 3]), (3, [0, 1, 3]), (9, [0, 1, 2, 3])]
)
def test_top_k_keeps_the_best(count, kept):
    found = rules.top_k(logits(0.14, 0.5, 0.06, 0.3), torch.tensor([[count]]))
    assert found[0].isfinite().nonzero().flatten().tolist() == kept


def test_of_equal_scores_the_first_are_kept():
    assert rules.top_k(torch.zeros(1, 4), torch.tensor([[2]]))[0].isfinite().tolist() == [True, True, False, False]


def test_recent_tokens_become_less_likely_once():
    scores = torch.tensor([[2.0, -1.0, 0.5, 3.0], [2.0, -1.0, 0.5, 3.0]])
    recent = torch.tensor([[0, 1, 0], [3, rules.NOTHING, rules.NOTHING]])
    found = rules.penalized(scores, recent, column(2.0, 1.5))
    assert found.tolist() == [[1.0, -2.0, 0.5, 3.0], [2.0, -1.0, 0.5, 2.0]]
    assert rules.penalized(scores, recent, column(1.0, 1.0)).tolist() == scores.tolist()
    assert rules.penalized(scores, torch.empty(2, 0, dtype=torch.int64), column(2.0, 2.0)) is scores


def test_a_history_of_nothing_changes_no_token_at_all():
    scores = torch.tensor([[2.0, -1.0, 0.5]])
    assert rules.penalized(scores, torch.full((1, 16), rules.NOTHING), column(1.5)).tolist() == scores.tolist()


def test_temperature_sharpens_and_flattens():
    scores = logits(0.2, 0.8)
    assert rules.probabilities(scores, column(1.0))[0].tolist() == pytest.approx([0.2, 0.8])
    assert rules.probabilities(scores, column(0.5))[0].tolist() == pytest.approx([0.04 / 0.68, 0.64 / 0.68])
    assert rules.probabilities(scores, column(0.0))[0].tolist() == [0, 1]


def test_draws_have_the_frequencies_of_the_chances():
    noise = torch.from_numpy(np.random.default_rng(0).standard_exponential((40_000, 3), np.float32))
    found = rules.drawn(torch.tensor([[0.2, 0.5, 0.3]]).expand(40_000, 3), noise).bincount(minlength=3) / 40_000
    assert found.tolist() == pytest.approx([0.2, 0.5, 0.3], abs=0.01)


def test_what_has_no_chance_is_never_drawn():
    chances = torch.tensor([[0.0, 1e-30, 0.0]])
    assert int(rules.drawn(chances, torch.tensor([[0.0, 50.0, 0.0]]))) == 1


def test_repeats_are_found_per_row():
    recent = torch.tensor([[1, 2, rules.NOTHING], [3, 3, 4]])
    assert rules.repeats(torch.tensor([2, 2]), recent).tolist() == [True, False]


@settings(deadline=None, max_examples=150)
@given(ROWS, st.floats(0.01, 1.0), st.integers(0, 12))
def test_limits_keep_the_best_and_never_raise_a_score(rows, share, count):
    scores = torch.tensor(rows)
    limits = torch.full((len(rows), 1), share)
    for found in (rules.top_p(scores, limits), rules.top_k(scores, torch.full((len(rows), 1), count))):
        kept = found.isfinite()
        assert torch.equal(found[kept], scores[kept])
        assert bool(kept.any(dim=1).all())
        for own, there in zip(scores, kept, strict=True):
            assert float(own[there].max()) == float(own.max())
            if not bool(there.all()):
                assert float(own[~there].max()) <= float(own[there].min())
    nucleus = rules.top_p(scores, limits).isfinite()
    for own, there in zip(scores.double().softmax(dim=1), nucleus, strict=True):
        assert int(there.sum()) == 1 or float(own[there].sum()) <= share + 1e-4
    if count:
        assert bool((rules.top_k(scores, torch.full((len(rows), 1), count)).isfinite().sum(dim=1) <= count).all())


@settings(deadline=None, max_examples=100)
@given(ROWS, st.data())
def test_a_row_alone_is_treated_as_in_a_batch(rows, data):
    scores = torch.tensor(rows)
    count, n = scores.shape
    recent = torch.tensor(data.draw(st.lists(
        st.lists(st.integers(-1, n - 1), min_size=3, max_size=3), min_size=count, max_size=count
    )))  # fmt: skip
    penalties, shares = torch.linspace(1, 2, count)[:, None], torch.linspace(0.2, 1, count)[:, None]
    noise = torch.from_numpy(np.random.default_rng(count * n).standard_exponential((count, n), np.float32))

    def tokens(own: slice) -> list[int]:
        lower = rules.top_p(rules.penalized(scores[own], recent[own], penalties[own]), shares[own])
        return rules.drawn(rules.probabilities(lower, shares[own]), noise[own]).tolist()

    assert tokens(slice(None)) == [token for row in range(count) for token in tokens(slice(row, row + 1))]


@settings(deadline=None, max_examples=100)
@given(ROWS, st.floats(1, 3))
def test_a_penalty_lowers_recent_tokens_and_no_others(rows, penalty):
    scores = torch.tensor(rows)
    recent = torch.zeros(len(rows), 2, dtype=torch.int64)
    found = rules.penalized(scores, recent, torch.full((len(rows), 1), penalty))
    assert bool((found[:, 0] <= scores[:, 0]).all())
    assert torch.equal(found[:, 1:], scores[:, 1:])
    assert math.isfinite(float(found.sum()))
