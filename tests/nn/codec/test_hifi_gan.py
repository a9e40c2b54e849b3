"""The HiFi-GAN head against its formula, and in steps."""

import pytest
import torch
import torch.nn.functional as F

from speech.errors import ConfigError
from speech.nn.codec.hifi_gan import HifiGanBlock, HifiGanConfig, HifiGanHead
from tests.nn.codec.pieces import check_steps, cut, stepped


def head() -> HifiGanHead:
    torch.manual_seed(0)
    return HifiGanHead(6, HifiGanConfig(channels=8, rates=[3, 2], kernels=[3, 5], dilations=[1, 3]))


def convolved(x, conv, dilation):
    padded = F.pad(x.transpose(1, 2), ((conv.kernel_size[0] - 1) * dilation, 0))
    return F.conv1d(padded, conv.weight, conv.bias, dilation=dilation).transpose(1, 2)


def test_a_block_is_its_formula():
    torch.manual_seed(0)
    block, x = HifiGanBlock(4, 3, [1, 3]), torch.randn(2, 20, 4)
    wanted = x
    for place, dilation in enumerate((1, 3)):
        first, second = (block.convolutions[2 * place + n].conv for n in (0, 1))
        y = convolved(F.silu(wanted), first, dilation)
        wanted = wanted + convolved(F.silu(y), second, dilation)
    torch.testing.assert_close(block(x), wanted, atol=1e-5, rtol=1e-4)


def test_the_head_is_its_formula():
    layer, x = head(), torch.randn(2, 9, 6)
    y = convolved(x, layer.first.conv, 1)
    for stage in layer.stages:
        y = stage.up(F.silu(y))
        y = sum(block(y) for block in stage.blocks) / 2
    wanted = torch.tanh(convolved(F.silu(y), layer.last.conv, 1))[..., 0]
    found = layer(x)
    assert found.shape == (2, 9 * layer.hop) == (2, 54)
    assert bool((found.abs() < 1).all())
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("seed", range(4))
def test_pieces_of_any_length_give_the_samples_of_the_whole(seed):
    layer, x = head(), torch.randn(2, 25, 6)
    check_steps(layer, 6, seed)
    pieces = cut(x, seed, longest=3)
    found = stepped(layer.step, layer.begin(2), pieces)
    assert [piece.shape[1] for piece in found] == [6 * piece.shape[1] for piece in pieces]


def test_later_frames_change_nothing_that_was_returned():
    layer, x = head(), torch.randn(1, 12, 6)
    changed = torch.cat([x[:, :7], x[:, 7:] + 1], dim=1)
    assert torch.equal(layer(x)[:, :42], layer(changed)[:, :42])
    assert not torch.allclose(layer(x)[:, 42:48], layer(changed)[:, 42:48])


def test_a_rate_of_nothing_is_refused():
    with pytest.raises(ConfigError, match=r"hifi_gan\.rates\[1\] 0"):
        HifiGanConfig(rates=[3, 0])
