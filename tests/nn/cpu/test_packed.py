"""Packed linear layers say what the originals say, and can become others."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from speech.nn.cpu.int8 import Int8Linear, int8_copy, int8_runs
from speech.nn.cpu.packed import PackedLinear, packed_copy, packing_runs

pytestmark = pytest.mark.skipif(not packing_runs(), reason="needs oneDNN")


@given(rows=st.integers(0, 70), inner=st.sampled_from([1, 9, 48, 512]), outer=st.integers(1, 70), bias=st.booleans())
@torch.inference_mode()
def test_it_says_what_the_original_says(rows, inner, outer, bias):
    linear = nn.Linear(inner, outer, bias=bias)
    x = torch.randn(2, rows, inner)
    torch.testing.assert_close(PackedLinear(linear)(x), linear(x), atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_a_packed_model_says_the_same_and_can_be_put_into_eight_bits(model):
    packed = packed_copy(model)
    assert not any(type(module) is nn.Linear for module in packed.modules())
    assert packed_copy(packed).ctc.linear is packed.ctc.linear
    assert torch.equal(packed.ctc.linear.weight, model.ctc.linear.weight)
    given = torch.randn(1, 60, 80), torch.tensor([60]), torch.tensor([[1, 2]])
    torch.testing.assert_close(packed(*given).log_probs, model(*given).log_probs, atol=1e-4, rtol=1e-4)
    if int8_runs():
        eight = int8_copy(packed)
        assert type(eight.ctc.linear) is Int8Linear
        assert torch.equal(eight(*given).log_probs, int8_copy(model)(*given).log_probs)
