"""Subsampling: padding is never heard, and the convolutions are those of torch."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.nn.encoder.subsampling import Conv2dSubsampling8, PairReduction, StridedConvolution, WhisperConvolutions


@pytest.mark.parametrize("make", [lambda: WhisperConvolutions(6, 8), lambda: Conv2dSubsampling8(20, 8)])
@settings(max_examples=30, deadline=None)
@given(frames=st.integers(15, 100), extra=st.integers(1, 60))
@torch.no_grad()
def test_subsampling_of_a_padded_row_equals_the_row_alone(make, frames, extra):
    layer = make().eval()
    bins = 6 if isinstance(layer, WhisperConvolutions) else 20
    features = torch.randn(2, frames + extra, bins)
    y, lengths = layer(features, torch.tensor([frames, frames + extra]))
    alone, alone_lengths = layer(features[:1, :frames], torch.tensor([frames]))
    count = int(alone_lengths[0])
    assert lengths[0] == count
    assert alone.shape[1] == max(count, 1)
    torch.testing.assert_close(y[0, :count], alone[0, :count], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_whisper_convolutions_equal_padded_convolutions_of_torch():
    layer = WhisperConvolutions(6, 8)
    features = torch.randn(2, 37, 6)
    x = F.gelu(F.conv1d(features.transpose(1, 2), layer.conv1.weight, layer.conv1.bias, padding=1))
    x = F.gelu(F.conv1d(x, layer.conv2.weight, layer.conv2.bias, stride=2, padding=1)).transpose(1, 2)
    torch.testing.assert_close(layer(features, torch.tensor([37, 37]))[0], x, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dim", [8, 512, 600])
@torch.no_grad()
def test_whisper_convolutions_do_not_depend_on_threads_and_are_those_of_training(dim):
    torch.manual_seed(0)
    layer, threads = WhisperConvolutions(80, dim), torch.get_num_threads()
    for frames in (41, 120, 250, 379, 380):
        features, lengths, found = torch.randn(1, frames, 80), torch.tensor([frames]), []
        try:
            for count in (1, 2):
                torch.set_num_threads(count)
                found.append(layer(features, lengths)[0])
        finally:
            torch.set_num_threads(threads)
        assert torch.equal(*found)
        with torch.enable_grad():
            trained = layer(features, lengths)[0].detach()
        torch.testing.assert_close(found[0], trained, atol=1e-5, rtol=1e-5)


def test_published_subsampling_makes_374_frames_of_30_seconds():
    assert Conv2dSubsampling8(80, 4).output_lengths(torch.tensor([3001])).tolist() == [374]


def test_pair_reduction_starts_as_the_mean():
    x = torch.randn(2, 6, 4)
    torch.testing.assert_close(PairReduction(4)(x), x.unflatten(1, (3, 2)).mean(dim=2))


@pytest.mark.parametrize("shape", [(1, 9, 20, 1), (3, 33, 7, 4), (1, 300, 70, 2)])
def test_patches_and_convolution_are_the_same(shape):
    layer = StridedConvolution(shape[-1], 6)
    x = torch.randn(shape)
    convolved = layer(x)
    with torch.inference_mode():
        patched = layer(x)
    assert convolved.requires_grad
    torch.testing.assert_close(patched, convolved.detach(), atol=1e-5, rtol=1e-5)
