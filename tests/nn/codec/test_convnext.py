"""ConvNeXt blocks against their formula, and in steps."""

import pytest
import torch
import torch.nn.functional as F

from speech.nn.codec.causal import CausalSequence
from speech.nn.codec.convnext import ConvNextBlock, convnext_stack
from tests.nn.codec.pieces import check_steps


def test_a_block_is_its_formula():
    torch.manual_seed(0)
    block, x = ConvNextBlock(8, kernel=5, expansion=3, scale=0.3), torch.randn(2, 12, 8)
    conv = block.conv.conv
    y = F.conv1d(F.pad(x.transpose(1, 2), (4, 0)), conv.weight, conv.bias, groups=8).transpose(1, 2)
    y = (y - y.mean(dim=-1, keepdim=True)) / (y.var(dim=-1, correction=0, keepdim=True) + 1e-6).sqrt()
    up, down = block.feed_forward.up, block.feed_forward.down
    assert up.weight.shape == (24, 8)
    y = F.gelu(y @ up.weight.T + up.bias) @ down.weight.T + down.bias
    torch.testing.assert_close(block(x), x + 0.3 * y, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_a_stack_streams(seed):
    torch.manual_seed(0)
    stack = CausalSequence(convnext_stack(8, 4))
    assert {layer.gamma[0].item() for layer in stack.layers} == {0.25}
    check_steps(stack, 8, seed)
