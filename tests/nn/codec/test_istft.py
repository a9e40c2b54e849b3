"""Overlap-add of spectra: it inverts the STFT, streams, and what it has returned stays."""

import pytest
import torch

from speech.nn.codec.istft import IstftHead
from tests.nn.codec.pieces import cut, stepped

N_FFT, HOP = 40, 10


def head() -> IstftHead:
    torch.manual_seed(0)
    return IstftHead(6, N_FFT, HOP)


def test_it_inverts_the_stft_of_windows_that_begin_with_each_hop(monkeypatch):
    layer, samples = head(), torch.randn(2, 200)
    padded = torch.nn.functional.pad(samples, (0, N_FFT))
    spectrum = torch.stft(padded, N_FFT, HOP, window=layer.inverse.window, center=False, return_complex=True)
    monkeypatch.setattr(layer, "spectra", lambda x: spectrum.transpose(1, 2)[:, : x.shape[1]])
    found = layer(torch.zeros(2, 20, 6))
    assert found.shape == samples.shape
    torch.testing.assert_close(found[:, 4:], samples[:, 4:], atol=1e-4, rtol=1e-4)  # a window begins with zero


@torch.inference_mode()
@pytest.mark.parametrize("seed", range(5))
def test_pieces_of_any_length_give_the_samples_of_the_whole(seed):
    layer, x = head(), torch.randn(2, 30, 6)
    found = stepped(layer.step, layer.begin(2), cut(x, seed, longest=5))
    torch.testing.assert_close(torch.cat(found, dim=1), layer(x), atol=1e-6, rtol=1e-4)


def test_later_frames_change_nothing_that_was_returned():
    layer, x = head(), torch.randn(1, 12, 6)
    changed = torch.cat([x[:, :7], x[:, 7:] + 1], dim=1)
    before, after = layer(x), layer(changed)
    assert torch.equal(before[:, :70], after[:, :70])
    assert not torch.allclose(before[:, 75:80], after[:, 75:80])


def test_phases_and_magnitudes_are_what_the_layer_says():
    layer = head()
    with torch.no_grad():
        layer.linear.weight.zero_()
        layer.linear.bias.copy_(torch.cat([torch.full((21,), 100.0), torch.full((21,), 0.5)]))
    spectrum = layer.spectra(torch.zeros(1, 1, 6))
    torch.testing.assert_close(spectrum.abs(), torch.full((1, 1, 21), 7.0).exp(), rtol=1e-4, atol=0)
    torch.testing.assert_close(spectrum.angle(), torch.full((1, 1, 21), 0.5))
    assert layer.delay == 15


def test_a_hop_that_does_not_divide_the_window_is_refused():
    with pytest.raises(ValueError, match="hop 12 does not divide n_fft 40"):
        IstftHead(6, 40, 12)
