"""Functions of one float32, against those of torch and numpy."""

import numpy as np
import pytest
import torch

from speech.compiled import load


@pytest.fixture(scope="module")
def math():
    return load("speech.vector_math")


def test_powers_of_e_are_exact_but_for_the_rounding_of_their_exponent(math):
    for x in np.linspace(-87, 88, 1000, dtype=np.float32):
        error = math.exponential(x) / np.exp(np.float64(x)) - 1
        assert abs(error) <= (2 + abs(x)) * np.finfo(np.float32).eps
    assert 0 < math.exponential(np.float32(-1000)) < 2e-38


@pytest.mark.parametrize("x", [0.0, -0.0, 1.0, -2.5, 3.3e38 / 2, 1e-20, 1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-20])
def test_a_float_becomes_the_nearest_bfloat16_of_two_the_even_one(math, x):
    expected = torch.tensor(x, dtype=torch.float32).to(torch.bfloat16).view(torch.int16)
    assert math.bfloat16(np.float32(x)) == int(expected)


def test_gelu_is_near_that_of_torch(math):
    numbers = torch.linspace(-9, 9, 500)
    found = torch.tensor([math.gelu(np.float32(x)) for x in numbers.tolist()])
    torch.testing.assert_close(found, torch.nn.functional.gelu(numbers), atol=2e-6, rtol=1e-6)
