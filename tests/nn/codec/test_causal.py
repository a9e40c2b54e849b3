"""Causal layers: each is the convolution that it is named after, sees no later frame, and streams."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from speech.nn.codec.causal import CausalConvolution, CausalSequence, CausalUpsampling, Framewise
from speech.nn.streaming import merge, select
from tests.nn.codec.pieces import check_steps

CONVOLUTIONS = {
    "dense": {"outputs": 5, "kernel": 4},
    "pointwise": {"outputs": 5, "kernel": 1},
    "dilated": {"outputs": 5, "kernel": 3, "dilation": 5},
    "strided": {"outputs": 5, "kernel": 4, "stride": 4},
    "overlapping": {"outputs": 5, "kernel": 5, "stride": 2},
    "depthwise": {"outputs": 6, "kernel": 7, "depthwise": True},
    "depthwise, all of it": {"outputs": 6, "kernel": 3, "stride": 2, "dilation": 2, "depthwise": True},
}


def convolution(name: str) -> CausalConvolution:
    torch.manual_seed(0)
    return CausalConvolution(6, **CONVOLUTIONS[name])


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_it_is_a_convolution_with_silence_in_front(name):
    layer, x = convolution(name), torch.randn(2, 23, 6)
    padded = F.pad(x.transpose(1, 2), (layer.span - layer.stride, 0))
    conv = layer.conv
    wanted = F.conv1d(padded, conv.weight, conv.bias, layer.stride, 0, layer.dilation, conv.groups).transpose(1, 2)
    found = layer(x)
    assert found.shape[1] == 23 // layer.stride
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", CONVOLUTIONS)
@pytest.mark.parametrize("seed", range(4))
def test_pieces_of_any_length_give_what_the_whole_gives(name, seed):
    check_steps(convolution(name), 6, seed)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_no_output_sees_a_later_frame(name):
    layer, x = convolution(name), torch.randn(1, 24, 6, requires_grad=True)
    y = layer(x)
    place = y.shape[1] // 2
    (gradient,) = torch.autograd.grad(y[:, place].sum(), x)
    seen = gradient.abs().sum(dim=(0, 2)).nonzero().flatten()
    last = layer.stride * (place + 1) - 1
    assert seen.max() == last
    assert seen.min() == last - layer.span + 1


def test_a_stride_beyond_the_kernel_is_refused():
    with pytest.raises(ValueError, match="skips frames"):
        CausalConvolution(2, 2, 2, stride=3)


@pytest.mark.parametrize("taps", [1, 2, 3])
def test_upsampling_is_a_transposed_convolution_without_its_end(taps):
    torch.manual_seed(0)
    layer, x, factor = CausalUpsampling(6, 5, 4, taps), torch.randn(2, 9, 6), 4
    conv = layer.taps.conv  # its last tap is at the newest frame
    kernel = conv.weight.unflatten(0, (factor, 5)).permute(2, 1, 3, 0).flip(2).flatten(2)  # (in, out, taps * factor)
    wanted = F.conv_transpose1d(x.transpose(1, 2), kernel, stride=factor)[..., : 9 * factor].transpose(1, 2)
    wanted = wanted + conv.bias.unflatten(0, (factor, 5)).repeat(9, 1)
    torch.testing.assert_close(layer(x), wanted, atol=1e-5, rtol=1e-4)
    check_steps(layer, 6, seed=1)


def sequence() -> CausalSequence:
    torch.manual_seed(0)
    return CausalSequence(
        [
            CausalConvolution(6, 8, 3),
            Framewise(nn.LayerNorm(8)),
            CausalConvolution(8, 4, 4, stride=2),
            CausalUpsampling(4, 3, 3, taps=2),
        ]
    )


@pytest.mark.parametrize("seed", range(4))
def test_a_sequence_streams_as_its_layers_do(seed):
    assert sequence()(torch.randn(1, 11, 6)).shape == (1, 15, 3)
    check_steps(sequence(), 6, seed)


@torch.inference_mode()
def test_streams_join_and_leave_a_batch():
    layer, x = sequence(), torch.randn(3, 20, 6)
    whole, state = layer(x), layer.begin(3)
    first, state = layer.step(x[:, :8], state)
    alone, left = layer.step(x[1:2, 8:], select(state, [1]))
    others, _ = layer.step(x[[2, 0], 8:], merge([select(state, [2]), select(state, [0])]))
    assert left[0].shape[0] == 1
    torch.testing.assert_close(torch.cat([first[1:2], alone], dim=1), whole[1:2], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(torch.cat([first[[2, 0]], others], dim=1), whole[[2, 0]], atol=1e-5, rtol=1e-4)
