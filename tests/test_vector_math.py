"""Functions of one float32, against those of torch and numpy."""

import numpy as np
import pytest
import torch

from speech.compiled import load


@pytest.fixture(scope="module")
def math():
    return load("speech.vector_math")


def error_of_exponential(math, x):
    """Relative error, in multiples of 2^-23."""
    return abs(math.exponential(x) / np.exp(np.float64(x)) - 1) / np.finfo(np.float32).eps


def test_powers_of_e_are_exact_but_for_the_rounding_of_their_exponent(math):
    worst = np.float32(-44.683765)  # of twenty million numbers, that with the largest share of the bound
    for x in (worst, *np.linspace(-87.3, 88, 5000, dtype=np.float32)):
        assert error_of_exponential(math, x) <= min(1 + abs(x), 33)
    assert all(error_of_exponential(math, x) <= 1.2 for x in np.linspace(-1, 1, 1000, dtype=np.float32))
    assert all(math.exponential(np.float32(x)) == 2.0**-126 for x in (-87.4, -1000, -np.inf))


@pytest.mark.parametrize("x", [0.0, -0.0, 1.0, -2.5, 3.3e38 / 2, 1e-20, 1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-20])
def test_a_float_becomes_the_nearest_bfloat16_of_two_the_even_one(math, x):
    expected = torch.tensor(x, dtype=torch.float32).to(torch.bfloat16).view(torch.int16)
    assert math.bfloat16(np.float32(x)) == int(expected)


def test_gelu_is_near_that_of_torch(math):
    numbers = torch.linspace(-9, 9, 500)
    found = torch.tensor([math.gelu(np.float32(x)) for x in numbers.tolist()])
    torch.testing.assert_close(found, torch.nn.functional.gelu(numbers), atol=2e-6, rtol=1e-6)
