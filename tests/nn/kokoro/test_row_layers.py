"""Layers of one row equal those of batches that they copy."""

import pytest
import torch
from torch import nn

from speech.nn.kokoro.residual import SnakeResidual, StyledResidual, snake
from speech.nn.kokoro.row_layers import Affine, Convolution, SnakeRow, StyledRow, folded

CONVOLUTIONS = [
    nn.Conv1d(6, 4, 3, padding=1),
    nn.Conv1d(6, 4, 5, padding=6, dilation=3, bias=False),
    nn.Conv1d(6, 4, 4, stride=2, padding=1),
    nn.ConvTranspose1d(6, 4, 6, stride=2, padding=2),
]


@pytest.mark.parametrize("conv", CONVOLUTIONS, ids=str)
@torch.no_grad()
def test_a_convolution_is_the_same(conv):
    x = torch.randn(12, 6)
    torch.testing.assert_close(Convolution(conv, torch.float32)(x), conv(x.t()[None])[0].t())
    half = Convolution(conv, torch.bfloat16)(x)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), conv(x.t()[None])[0].t(), atol=0.05, rtol=0.05)


def test_snake_behind_an_affine_map():
    x, alpha = 3 * torch.randn(50, 5), torch.rand(1, 5, 1) + 0.3
    affine = Affine(torch.randn(5), torch.randn(5))
    wanted = snake((affine.scale * x + affine.shift).t()[None], alpha)[0].t()
    torch.testing.assert_close(folded(affine, alpha)(x), wanted, atol=1e-5, rtol=1e-5)


def affine_of(norm, style):
    """What a normalisation does to channels of mean 0 and variance 1."""
    scale, shift = norm.linear(style).chunk(2)
    return Affine(1 + scale, shift)


def as_if_normal(block):
    """Have each normalisation of a block take its input as normalised."""
    for module in block.modules():
        if hasattr(module, "linear"):
            module.register_forward_hook(
                lambda own, inputs, _: (
                    affine_of(own, inputs[1][0]).scale[:, None] * inputs[0]
                    + affine_of(own, inputs[1][0]).shift[:, None]
                )
            )


@pytest.mark.parametrize(("dim_out", "doubles"), [(6, False), (4, False), (4, True), (6, True)])
@torch.no_grad()
def test_a_styled_block_is_the_same(dim_out, doubles):
    torch.manual_seed(1)
    block, style, x = StyledResidual(6, dim_out, 3, doubles=doubles), torch.randn(3), torch.randn(9, 6)
    as_if_normal(block)
    affines = iter([affine_of(block.norm1, style), affine_of(block.norm2, style)])
    wanted = block(x.t()[None], style[None], torch.tensor([9]))[0].t()
    torch.testing.assert_close(StyledRow(block, torch.float32)(x, affines), wanted, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_snake_block_is_the_same():
    torch.manual_seed(2)
    block, style, x = SnakeResidual(6, 5, [1, 3], 3), torch.randn(3), torch.randn(20, 6)
    for alpha in (*block.alphas1, *block.alphas2):
        alpha.uniform_(0.5, 2)
    as_if_normal(block)
    row = SnakeRow(block, torch.float32)
    snakes = row.folded(affine_of(norm, style) for norm in (*block.norms1, *block.norms2))
    torch.testing.assert_close(row(x, snakes), block(x.t()[None], style[None], None)[0].t(), atol=1e-5, rtol=1e-5)
