"""Confidence intervals and significance, against what is known of the binomial distribution."""

import numpy as np
import pytest

from speech.errors import DataError
from speech.metrics.bootstrap import (
    Difference,
    Figure,
    Interval,
    differences,
    figure_difference,
    figure_interval,
    ratios,
)


def interval(errors, words, **options) -> Interval:
    (found,) = ratios(errors[:, None], words[:, None], **options)
    return found


def difference(first, second, words, **options) -> Difference:
    (found,) = differences(first[:, None], second[:, None], words[:, None], **options)
    return found


def test_an_interval_holds_the_value_and_has_the_width_that_theory_gives():
    rng = np.random.default_rng(0)
    wrong = (rng.random(2000) < 0.2).astype(float)
    found = interval(wrong, np.ones(2000))
    assert found.value == pytest.approx(wrong.mean())
    assert found.low < found.value < found.high
    width = 2 * 1.96 * np.sqrt(0.2 * 0.8 / 2000)
    assert found.high - found.low == pytest.approx(width, rel=0.15)


def test_the_same_seed_gives_the_same_interval():
    errors, words = np.array([1.0, 0, 3, 2]), np.array([4.0, 5, 6, 7])
    assert interval(errors, words) == interval(errors, words)
    many = np.arange(200.0)
    assert interval(many, many + 1, seed=2) != interval(many, many + 1)


def test_equal_systems_do_not_differ_and_a_better_one_does():
    rng = np.random.default_rng(0)
    words = np.full(300, 10.0)
    first = rng.binomial(10, 0.3, 300).astype(float)
    same = difference(first, first, words)
    assert (same.value, same.low, same.high, same.p) == (0.0, 0.0, 0.0, 1.0)
    better = difference(first, rng.binomial(10, 0.2, 300).astype(float), words)
    assert better.high < 0
    assert better.p < 0.01


def test_systems_that_differ_by_chance_are_rarely_called_different():
    rng = np.random.default_rng(0)
    called = sum(
        difference(*rng.binomial(10, 0.3, (2, 100)).astype(float), np.full(100, 10.0), resamples=200).p < 0.05
        for _ in range(100)
    )
    assert called <= 12


@pytest.mark.parametrize("count", [0, 3])
def test_what_has_no_units_has_no_interval_beside_what_has(count):
    errors, words = np.ones((count, 2)), np.stack([np.zeros(count), np.full(count, 2.0)], axis=1)
    found = ratios(errors, words)
    assert found == ([None, Interval(0.5, 0.5, 0.5)] if count else [None, None])
    assert [one is None for one in differences(errors, errors, words)] == [one is None for one in found]


def test_figures_of_different_sizes_are_refused():
    with pytest.raises(DataError, match=r"\(2, 1\) against \(1, 1\)"):
        ratios(np.ones((2, 1)), np.ones((1, 1)))


def figure(errors, words) -> Figure:
    each = tuple(top / bottom if bottom else None for top, bottom in zip(errors, words, strict=True))
    return Figure(np.stack([errors, words], axis=1), lambda sums: float(sums[0] / sums[1]), each)


def test_a_figure_of_sums_has_the_interval_and_the_difference_of_the_ratio_that_it_is():
    rng = np.random.default_rng(0)
    words = rng.integers(5, 20, 100).astype(float)
    first, second = rng.binomial(5, 0.3, 100).astype(float), rng.binomial(5, 0.4, 100).astype(float)
    assert figure_interval(figure(first, words)) == interval(first, words)
    one, other = figure_difference(figure(first, words), figure(second, words)), difference(first, second, words)
    assert (one.value, one.low, one.high, one.p) == pytest.approx((other.value, other.low, other.high, other.p))


def test_a_figure_that_no_utterance_has_is_not_given():
    none = Figure(np.zeros((2, 2)), lambda sums: 0.0, (None, None))
    assert figure_interval(none) is None
    assert figure_difference(none, figure(np.ones(2), np.ones(2))) is None
    assert none.over([]) is None


def test_figures_of_different_corpora_are_refused():
    with pytest.raises(DataError):
        figure_difference(figure(np.ones(2), np.ones(2)), figure(np.ones(3), np.ones(3)))
