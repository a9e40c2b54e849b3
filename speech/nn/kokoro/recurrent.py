"""A bidirectional LSTM over rows of different lengths."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class BidirectionalLstm(nn.Module):
    """LSTM in both directions, each of half the channels: `(batch, time, dim_in)` to `(batch, time, dim)`.

    The backward direction begins at the last frame of each row; frames beyond it are 0.
    """

    def __init__(self, dim_in: int, dim: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(dim_in, dim // 2, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        self.lstm.flatten_parameters()
        if bool((lengths >= x.shape[1]).all()):  # twice as fast as packed rows
            whole: Tensor = self.lstm(x)[0]
            return whole
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        y, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=x.shape[1])
        return y
