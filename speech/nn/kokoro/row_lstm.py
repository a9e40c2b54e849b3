"""`BidirectionalLstm` of one row, with weights in bfloat16 and a thread for each direction."""

from __future__ import annotations

from threading import Thread
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from speech.compiled import load
from speech.nn.cpu.packed import PackedLinear
from speech.nn.kokoro.recurrent import BidirectionalLstm

_KERNELS = "speech.nn.kokoro.row_kernels"
_PARTS = "weight_ih", "weight_hh", "bias_ih", "bias_hh"
"""Parameters of a direction, by torch's names."""


def kernels() -> Any:
    """The compiled kernels of rows."""
    return load(_KERNELS)


class RowLstm(nn.Module):
    """LSTM in both directions of a batch of one row: `(1, time, dim_in)` to `(1, time, dim)`.

    Args:
        layer: whose parameters are copied.
    """

    def __init__(self, layer: BidirectionalLstm) -> None:
        super().__init__()
        own = layer.lstm
        parts = [{name: getattr(own, name + end).detach() for name in _PARTS} for end in ("_l0", "_l0_reverse")]
        gates = nn.Linear(own.input_size, 8 * own.hidden_size)
        with torch.no_grad():
            gates.weight.copy_(torch.cat([part["weight_ih"] for part in parts]))
            gates.bias.copy_(torch.cat([part["bias_ih"] + part["bias_hh"] for part in parts]))
        self._gates = PackedLinear(gates, torch.bfloat16)
        self._states = [_bits(part["weight_hh"]) for part in parts]

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """`x (1, time, dim_in)`, all of whose frames belong to the row."""
        gates = self._gates(x[0].to(torch.bfloat16)).float().numpy()
        time, dim = len(gates), gates.shape[1] // 8
        y = np.empty((2, time, dim), np.float32)
        run = kernels().lstm
        beside = Thread(target=run, args=(gates[:, 4 * dim :], self._states[1], True, y[1]))
        beside.start()
        run(gates[:, : 4 * dim], self._states[0], False, y[0])
        beside.join()
        return torch.from_numpy(np.concatenate(list(y), axis=1))[None]


def _bits(weight: Tensor) -> np.ndarray:
    """Transposed weights in bfloat16, by their bits."""
    return np.ascontiguousarray(weight.detach().t().to(torch.bfloat16).contiguous().view(torch.int16).numpy())
