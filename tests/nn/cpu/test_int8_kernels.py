"""Compiled products: a row never depends on its neighbours."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.nn.cpu.instructions import instructions
from speech.nn.cpu.int8_weights import int8_kernels
from tests.skips import NO_TILES

pytestmark = pytest.mark.skipif(instructions() is None, reason=NO_TILES)


@settings(deadline=None)
@given(rows=st.integers(1, 11), depth=st.integers(1, 40), columns=st.integers(1, 5), seed=st.integers(0, 9))
def test_a_product_of_floats_does_not_depend_on_its_other_rows(rows, depth, columns, seed):
    random = np.random.default_rng(seed)
    a = random.normal(size=(rows, depth)).astype(np.float32)
    b = random.normal(size=(depth, columns * instructions().width)).astype(np.float32).view(np.uint32) >> 16
    whole, alone = np.empty((rows, b.shape[1]), np.float32), np.empty((1, b.shape[1]), np.float32)
    int8_kernels().float_product(a, b.astype(np.uint16), whole)
    int8_kernels().float_product(a[-1:], b.astype(np.uint16), alone)
    np.testing.assert_array_equal(whole[-1:], alone)
    np.testing.assert_allclose(whole, a @ (b << 16).view(np.float32), atol=1e-4)
