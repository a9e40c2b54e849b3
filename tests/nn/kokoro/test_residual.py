"""Residual blocks: their formula, and rows that do not see each other."""

import pytest
import torch
import torch.nn.functional as F

from speech.nn.kokoro.masks import frame_mask
from speech.nn.kokoro.residual import SnakeResidual, StyledResidual, snake
from tests.nn.kokoro.rows import LENGTHS, STYLE_DIM, check_rows, rows, styles


@torch.no_grad()
@pytest.mark.parametrize("doubles", [False, True])
@pytest.mark.parametrize("out", [6, 4])
def test_a_styled_block_treats_each_row_as_if_it_were_alone(doubles, out):
    torch.manual_seed(0)
    block, style = StyledResidual(6, out, STYLE_DIM, doubles=doubles), styles()
    x, lengths = rows(6)
    y = block(x, style, lengths)
    assert y.shape == (3, out, 14 if doubles else 7)
    assert (block.shortcut is None) == (out == 6)
    check_rows(y, lambda n: block(x[n : n + 1, :, : LENGTHS[n]], style[n : n + 1], lengths[n : n + 1]))


@torch.no_grad()
def test_the_shortcut_repeats_frames_and_both_branches_keep_the_variance():
    torch.manual_seed(0)
    block = StyledResidual(6, 6, STYLE_DIM, doubles=True)
    block.conv2.weight.zero_()
    block.conv2.bias.zero_()
    x = torch.randn(1, 6, 5)
    expected = F.interpolate(x, scale_factor=2, mode="nearest") / 2**0.5
    torch.testing.assert_close(block(x, styles()[:1], torch.tensor([5])), expected)


@torch.no_grad()
def test_a_snake_block_treats_each_row_as_if_it_were_alone():
    torch.manual_seed(0)
    block, style = SnakeResidual(6, 3, [1, 3], STYLE_DIM), styles()
    for alpha in (*block.alphas1, *block.alphas2):
        alpha.uniform_(0.5, 2)
    x, lengths = rows(6)
    y = block(x, style, frame_mask(lengths, 7))
    assert (y[0] - x[0]).abs().max() > 0.1
    check_rows(y, lambda n: block(x[n : n + 1, :, : LENGTHS[n]], style[n : n + 1], None))


def test_snake_is_its_formula():
    x, alpha = torch.linspace(-3, 3, 13).view(1, 1, 13), torch.tensor([[[0.5], [2.0]]])
    found = snake(x.expand(1, 2, 13), alpha)
    for channel, frequency in enumerate((0.5, 2.0)):
        expected = x[0, 0] + (1 - torch.cos(2 * frequency * x[0, 0])) / (2 * frequency)
        torch.testing.assert_close(found[0, channel], expected)
