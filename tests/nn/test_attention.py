"""Attention: a chunk behind its cache equals the masked whole, and a single place is what stands there."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.chunking import ChunkSpec
from speech.nn.attention import MultiHeadAttention
from speech.nn.encoder.masks import SequenceLayout
from speech.nn.streaming import StreamTensors

CPU = torch.device("cpu")

shapes = {
    "chunks": st.integers(1, 6),
    "size": st.integers(1, 6),
    "prefix": st.integers(0, 3),
    "seed": st.integers(0, 99),
}


@settings(max_examples=40, deadline=None)
@given(left=st.integers(0, 9), **shapes)
@torch.no_grad()
def test_attention_steps_equal_masked_attention(chunks, size, prefix, seed, left):
    torch.manual_seed(seed)
    attention = MultiHeadAttention(8, 2).eval()
    x = torch.randn(2, prefix + chunks * size, 8)
    layout = SequenceLayout.build(prefix, chunks * size, ChunkSpec(size=size, left_context=left), CPU)
    whole = attention(x, layout.attention_mask(torch.tensor([chunks * size] * 2)))
    cache = attention.begin(x[:, :prefix], left)
    for number in range(chunks):
        start = prefix + number * size
        y, cache = attention.step(x[:, start : start + size], cache, torch.ones(2, size, dtype=torch.bool), size)
        torch.testing.assert_close(y, whole[:, start : start + size], atol=1e-5, rtol=1e-5)
        assert [row.shape[1] for row in cache.keys] == 2 * [min(left, (number + 1) * size)]


@torch.no_grad()
def test_attention_to_a_single_place_is_what_stands_there():
    attention, norm = MultiHeadAttention(8, 2), torch.nn.LayerNorm(8)
    x, single, longer = torch.randn(2, 5, 8), torch.randn(1, 8), torch.randn(4, 8)
    alone = attention.across(norm, x, StreamTensors([single, single])).expand(2, 5, 8)
    mixed = attention.across(norm, x, StreamTensors([single, longer]))
    torch.testing.assert_close(mixed[0], alone[0])
    keys, values = attention.project(longer[None])
    torch.testing.assert_close(mixed[1:], attention.attend(norm(x[1:]), keys, values, None))
