"""Linear layers in eight bits: near the originals, and the same for a frame in any batch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from speech.nn.cpu.int8 import Int8Embedding, Int8Linear, int8_copy, int8_runs
from speech.nn.linears import quantized
from speech.nn.tied_embedding import TiedEmbedding

pytestmark = pytest.mark.skipif(not int8_runs(), reason="needs the quantised kernels of x86")


@settings(max_examples=40, deadline=None)
@given(rows=st.integers(1, 70), dim=st.sampled_from([16, 48, 512]), bias=st.booleans(), seed=st.integers(0, 99))
@torch.inference_mode()
def test_it_is_near_the_original_and_a_frame_does_not_see_its_batch(rows, dim, bias, seed):
    torch.manual_seed(seed)
    linear = nn.Linear(dim, 24, bias=bias)
    x = torch.randn(2, rows, dim) * torch.logspace(-3, 3, rows)[:, None]
    eight = Int8Linear(linear)
    y, exact = eight(x), linear(x)
    assert (y - exact).norm(dim=-1).max() <= 0.05 * exact.norm(dim=-1).max()
    assert torch.equal(eight(x[1:, rows // 2 :]), y[1:, rows // 2 :])


@torch.inference_mode()
def test_zeros_are_the_bias():
    linear = nn.Linear(16, 8)
    torch.testing.assert_close(Int8Linear(linear)(torch.zeros(1, 3, 16)), linear.bias.expand(1, 3, 8))


@torch.inference_mode()
def test_a_copy_shares_what_is_not_linear_and_leaves_the_original_alone(model):
    before = {key: value.clone() for key, value in model.state_dict().items()}
    eight = int8_copy(model)
    assert not any(type(module) is nn.Linear for module in eight.modules())
    assert eight.feature_mean is model.feature_mean
    assert eight.embed.weight is model.embed.weight
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    features, lengths, prefix = torch.randn(1, 60, 80), torch.tensor([60]), torch.tensor([[1, 2]])
    near, exact = eight(features, lengths, prefix).log_probs, model(features, lengths, prefix).log_probs
    torch.testing.assert_close(near, exact, atol=0.5, rtol=0.2)


@torch.inference_mode()
@pytest.mark.parametrize("stored", [True, False])
def test_an_embedding_gives_dequantised_rows_and_logits_near_the_original(stored):
    torch.manual_seed(0)
    embedding = TiedEmbedding(301, 48)
    scales = embedding.weight.abs().amax(dim=1) / 127
    whole = (embedding.weight / scales[:, None]).round().to(torch.int8)
    exact = whole * scales[:, None]
    x, tokens = torch.randn(2, 5, 48), torch.tensor([[3, 300], [0, 3]])
    expected = embedding.logits(x)
    if stored:
        embedding = embedding.requires_grad_(False)
        embedding.weight = nn.Parameter(quantized(whole, scales), requires_grad=False)
    eight = Int8Embedding(embedding)
    torch.testing.assert_close(eight(tokens), exact[tokens], atol=1e-7, rtol=1e-5)
    assert (eight.logits(x) - expected).norm(dim=-1).max() <= 0.05 * expected.norm(dim=-1).max()
    assert torch.equal(eight.logits(x[1:, 2:]), eight.logits(x)[1:, 2:])
