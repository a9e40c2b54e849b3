"""Rows of different lengths: each has to come out of a batch as it does alone."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

LENGTHS = [7, 3, 5]
STYLE_DIM = 4


def rows(channels: int, seed: int = 0, *, garbage: float = 0.0) -> tuple[Tensor, Tensor]:
    """`(3, channels, 7)` with `garbage` beyond the end of each row, and the lengths."""
    x = torch.randn(len(LENGTHS), channels, max(LENGTHS), generator=torch.Generator().manual_seed(seed))
    lengths = torch.tensor(LENGTHS)
    beyond = torch.arange(x.shape[2]) >= lengths[:, None, None]
    return torch.where(beyond, garbage, x), lengths


def styles(seed: int = 1) -> Tensor:
    return torch.randn(len(LENGTHS), STYLE_DIM, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def check_rows(batched: Tensor, alone: Callable[[int], Tensor], atol: float = 1e-5) -> None:
    """`alone(row)` is what a row `(1, ..., time)` gives by itself; the batch has it, and 0 beyond."""
    for row in range(len(LENGTHS)):
        expected = alone(row)[0]
        time = expected.shape[-1]
        torch.testing.assert_close(batched[row, ..., :time], expected, atol=atol, rtol=1e-5)
        assert not batched[row, ..., time:].any()


def well_conditioned(stft: nn.Module) -> None:
    """Have a generator read real and imaginary parts of its excitation instead of magnitudes and phases.

    A phase near pi turns over with the last bit of a float, which another batch size changes: in the first and the last
    frame of a row all phases are 0 or pi, as the excitation is reflected there.
    """

    def parts(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        magnitudes, phases = output.chunk(2, dim=1)
        return torch.cat([magnitudes * phases.cos(), magnitudes * phases.sin()], dim=1)

    stft.register_forward_hook(parts)
