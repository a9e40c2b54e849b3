"""Eight-bit weights: exact products of whole numbers, and rows as they were."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.nn.cpu.instructions import instructions
from speech.nn.cpu.int8_weights import pack, product
from speech.nn.linears import quantized
from tests.skips import NO_TILES

pytestmark = pytest.mark.skipif(instructions() is None, reason=NO_TILES)


@settings(deadline=None)
@given(
    rows=st.one_of(st.integers(1, 12), st.integers(78, 84)),
    width=st.integers(1, 90),
    out=st.integers(1, 140),
    lowest=st.sampled_from([-127, -128]),
    seed=st.integers(0, 9),
)
def test_a_product_is_that_of_the_numbers(rows, width, out, lowest, seed):
    """Exactly that of the whole numbers, whatever the shape and its remainders."""
    generator = torch.Generator().manual_seed(seed)
    whole = torch.randint(lowest, 128, (out, width), generator=generator).to(torch.int8)
    scales, bias = torch.rand(out, generator=generator) + 0.1, torch.randn(out, generator=generator)
    steps = torch.randint(-127, 128, (rows, width), generator=generator).float()
    steps[:, 0] = 127.0  # the peak, so that a step is a whole number
    found = product(steps, pack([quantized(whole, scales)], [bias]), out)
    sums = (steps.double() @ whole.double().T).float()
    assert torch.equal(found, sums * scales + bias)


def test_rows_of_a_matrix_come_back_as_they_were():
    whole = torch.randint(-128, 128, (83, 30), generator=torch.Generator().manual_seed(0)).to(torch.int8)
    found = pack([quantized(whole, torch.ones(83))], [None]).rows(np.array([82, 0, 17]))
    np.testing.assert_array_equal(found[:, :30], whole[[82, 0, 17]])
