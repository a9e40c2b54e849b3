"""Areas under ROC curves and shares above thresholds, against counts of pairs."""

import math

import numpy as np
import pytest

from speech.metrics.detection import found_at, roc_area


def test_the_area_is_the_share_of_pairs_in_the_right_order():
    rng = np.random.default_rng(3)
    positive, negative = rng.integers(0, 9, 40), rng.integers(0, 7, 30)
    pairs = [(a > b) + (a == b) / 2 for a in positive for b in negative]
    assert roc_area(positive, negative) == pytest.approx(np.mean(pairs))
    assert roc_area(np.array([2.0]), np.array([1.0, 0.0])) == 1
    assert roc_area(np.array([1.0]), np.array([1.0])) == 0.5


def test_a_threshold_lets_no_more_negatives_through_than_allowed():
    negative = np.arange(100) / 100
    found, threshold = found_at(np.array([0.2, 0.945, 0.95, 0.99]), negative, 0.05)
    assert threshold == pytest.approx(0.94)
    assert (negative > threshold).sum() == 5
    assert found == 0.75
    found, threshold = found_at(np.array([0.5, 1.0]), np.array([0.5, 0.5, 0.1]), 0.34)
    assert (found, threshold) == (0.5, 0.5), "equal scores pass together or not at all"
    assert found_at(np.array([0.0]), np.array([1.0]), 1.0) == (1.0, -math.inf)


def test_without_examples_there_is_no_figure():
    none, some = np.array([]), np.array([1.0])
    assert math.isnan(roc_area(none, some))
    assert math.isnan(roc_area(some, none))
    assert all(map(math.isnan, found_at(some, none, 0.1)))
    assert all(map(math.isnan, found_at(none, some, 0.1)))
