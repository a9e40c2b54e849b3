"""Both directions of the LSTM stay within their row."""

import torch
from torch import nn

from speech.nn.kokoro.recurrent import BidirectionalLstm
from tests.nn.kokoro.rows import LENGTHS, check_rows, rows


@torch.no_grad()
def test_a_row_is_read_as_if_it_were_alone():
    torch.manual_seed(0)
    layer = BidirectionalLstm(6, 8)
    x, lengths = rows(6, garbage=9.0)
    y = layer(x.transpose(1, 2), lengths)
    assert y.shape == (3, 7, 8)
    reference = nn.LSTM(6, 4, batch_first=True, bidirectional=True)
    reference.load_state_dict(layer.lstm.state_dict())
    check_rows(y.transpose(1, 2), lambda n: reference(x[n : n + 1, :, : LENGTHS[n]].transpose(1, 2))[0].transpose(1, 2))
