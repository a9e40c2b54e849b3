"""LSTMs of one row equal those of batches that they copy, but for the rounding of weights."""

import pytest
import torch

from speech.nn.kokoro.recurrent import BidirectionalLstm
from speech.nn.kokoro.row_lstm import RowLstm


@pytest.mark.parametrize(("dim_in", "dim"), [(6, 10), (40, 64)])
@torch.no_grad()
def test_an_lstm_is_nearly_the_same(dim_in, dim):
    torch.manual_seed(3)
    layer, x = BidirectionalLstm(dim_in, dim), torch.randn(1, 50, dim_in)
    lengths = torch.tensor([50])
    for parameter in layer.parameters():  # what bfloat16 can tell, so that only sums and the input are rounded
        parameter.copy_(parameter.bfloat16())
    wanted = layer(x.bfloat16().float(), lengths)
    torch.testing.assert_close(RowLstm(layer)(x, lengths), wanted, atol=0.01, rtol=0.01)
    assert (wanted[0, 0] - wanted[0, -1]).abs().max() > 0.1
