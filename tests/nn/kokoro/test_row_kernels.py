"""Kernels against torch: what each reads and writes."""

import numpy as np
import pytest
import torch

from speech.nn.kokoro.row_layers import Affine, folded
from speech.nn.kokoro.row_lstm import kernels


@pytest.fixture
def snake():
    torch.manual_seed(4)
    return folded(Affine(torch.rand(5) + 0.5, torch.randn(5)), torch.rand(1, 5, 1) + 0.3)


def bits(x):
    return x.view(torch.int16).numpy()


def arrays(snake):
    return tuple(each.numpy() for each in snake)


def test_snake_of_either_width(snake):
    x = 3 * torch.randn(20, 5)
    y, narrow = torch.empty(20, 5, dtype=torch.bfloat16), x.bfloat16()
    kernels().snake(x.numpy(), arrays(snake), bits(y))
    torch.testing.assert_close(y.float(), snake(x), atol=0, rtol=0.005)
    wanted = snake(narrow.float())
    kernels().narrow_snake(bits(narrow), arrays(snake))
    torch.testing.assert_close(narrow.float(), wanted, atol=0, rtol=0.005)


def test_sums(snake):
    x, more = torch.randn(20, 5), torch.randn(20, 5).bfloat16()
    wanted, own, total = x + more.float(), torch.empty(20, 5), torch.ones(20, 5)
    kernels().add(x.numpy(), bits(more), total.numpy())
    assert torch.equal(total, 1 + wanted)
    kernels().added_snake(x.numpy(), bits(more), arrays(snake), own.numpy(), bits(more))
    assert torch.equal(own, wanted)
    torch.testing.assert_close(more.float(), snake(wanted), atol=0, rtol=0.005)


@pytest.mark.parametrize("backward", [False, True])
def test_an_lstm_begins_at_either_end(backward):
    torch.manual_seed(5)
    own = torch.nn.LSTM(6, 7, batch_first=True)
    own.weight_hh_l0.data = own.weight_hh_l0.data.bfloat16().float()
    x, y = torch.randn(9, 6), np.empty((9, 7), np.float32)
    gates = (x @ own.weight_ih_l0.t() + own.bias_ih_l0 + own.bias_hh_l0).detach().numpy()
    weights = own.weight_hh_l0.detach().t().contiguous().bfloat16().view(torch.int16).numpy()
    kernels().lstm(gates, weights, backward, y)
    wanted = own(x.flip(0)[None] if backward else x[None])[0][0].detach()
    torch.testing.assert_close(torch.from_numpy(y), wanted.flip(0) if backward else wanted, atol=1e-5, rtol=1e-5)
