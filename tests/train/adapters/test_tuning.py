"""Codes as numbers, and layers that can be passed."""

from types import SimpleNamespace

import pytest
from torch import nn

from speech.train.adapters.tuning import number_of, passed, trained_parameters


def test_codes_have_numbers_of_their_own():
    assert number_of("aaa") == 0
    assert len({number_of(code) for code in ("ita", "tia", "ait", "lad", "lug", "zzz")}) == 6


@pytest.mark.parametrize(
    ("layers", "reduce_after", "expected"), [(0, 0, 0), (5, 0, 5), (5, 3, 2), (2, 3, 2), (3, 3, 2), (1, 1, 0)]
)
def test_what_is_kept_ends_below_the_layer_at_which_time_is_reduced(layers, reduce_after, expected):
    assert passed(SimpleNamespace(encoder=SimpleNamespace(reduce_after=reduce_after)), layers) == expected


def test_the_parameters_of_a_language_are_those_of_the_largest():
    own = {"deu": nn.Linear(3, 2), "ell": nn.Linear(5, 2)}
    tuning = SimpleNamespace(parameters_of=lambda code: list(own[code].parameters()))
    assert trained_parameters(tuning, ["deu", "ell"]) == 12
