"""Convolutions over chunks: steps equal the whole."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.chunking import ChunkSpec
from speech.nn.encoder.convolution import ConvolutionalGating, DepthwiseConvolution
from speech.nn.encoder.masks import SequenceLayout

CPU = torch.device("cpu")

shapes = {
    "chunks": st.integers(1, 6),
    "size": st.integers(1, 6),
    "prefix": st.integers(0, 3),
    "seed": st.integers(0, 99),
}


@pytest.mark.parametrize("make", [lambda: DepthwiseConvolution(8, 5), lambda: ConvolutionalGating(8, 16, 7, 1e-5)])
@settings(max_examples=40, deadline=None)
@given(**shapes)
@torch.no_grad()
def test_convolution_steps_equal_chunked_convolution(make, chunks, size, prefix, seed):
    torch.manual_seed(seed)
    layer = make().eval()
    x = torch.randn(2, prefix + chunks * size, 8)
    layout = SequenceLayout.build(prefix, chunks * size, ChunkSpec(size=size, left_context=4), CPU)
    whole = layer(x, layout, layout.valid(torch.tensor([chunks * size] * 2)))
    first, cache = layer.begin(x[:, :prefix])
    torch.testing.assert_close(first, whole[:, :prefix], atol=1e-5, rtol=1e-5)
    valid = torch.ones(2, size, dtype=torch.bool)
    for number in range(chunks):
        start = prefix + number * size
        y, cache = layer.step(x[:, start : start + size], cache, valid, size)
        torch.testing.assert_close(y, whole[:, start : start + size], atol=1e-5, rtol=1e-5)
