"""The excitation: sines at the multiples of a frequency, noise where there is no voice."""

import math
from itertools import pairwise

import pytest
import torch

from speech.nn.kokoro.harmonic_source import HARMONICS, HarmonicSource, NoiseRow

RATE, HOP = 24000, 60


def source(harmonic: int) -> HarmonicSource:
    """It passes one harmonic on."""
    module = HarmonicSource(RATE, HOP)
    with torch.no_grad():
        module.merge.weight.zero_()
        module.merge.bias.zero_()
        module.merge.weight[0, harmonic] = 1.0
    return module


@torch.no_grad()
def test_a_voiced_frame_is_a_sine_of_its_frequency():
    for harmonic in (0, 2):
        samples = torch.atanh(source(harmonic)(torch.full((1, 20), 200.0), None))[0]
        assert samples.shape == (20 * HOP,)
        inner = samples[HOP : 19 * HOP]  # at both ends the phase stands still for half a frame
        turns = 200.0 * (harmonic + 1) / RATE * torch.arange(len(samples))[HOP : 19 * HOP]
        shift = torch.linspace(0, 1, 721)
        expected = 0.1 * torch.sin(2 * math.pi * (turns[None] + shift[:, None]))
        assert (expected - inner).abs().amax(dim=1).min() < 1e-3


@torch.no_grad()
def test_without_voice_there_is_nothing_but_noise():
    pitch = torch.tensor([[0.0, 9.0, 100.0]])
    module = source(1)
    assert not module(pitch, None)[0, : 2 * HOP].any()
    noise = torch.randn(1, 3 * HOP, HARMONICS)
    added = torch.atanh(module(pitch, noise)) - torch.atanh(module(pitch, None))
    torch.testing.assert_close(added[0, : 2 * HOP], noise[0, : 2 * HOP, 1] * 0.1 / 3, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(added[0, 2 * HOP :], noise[0, 2 * HOP :, 1] * 0.003, atol=1e-5, rtol=1e-3)


@torch.no_grad()
def test_silence_behind_a_row_changes_nothing_before_it():
    torch.manual_seed(0)
    module, pitch = HarmonicSource(RATE, HOP), torch.rand(1, 6) * 200 + 100
    longer = torch.cat([pitch, torch.zeros(1, 4)], dim=1)
    torch.testing.assert_close(module(longer, None)[:, : 6 * HOP], module(pitch, None), atol=1e-6, rtol=0)


@pytest.mark.parametrize("count", [1, 600, 4801, 12000])
def test_noise_that_is_drawn_as_needed_is_that_of_all(count):
    whole, row = torch.randn(count, HARMONICS, generator=torch.Generator().manual_seed(7)), NoiseRow(7, count)
    cuts = [0, count // 3, count // 2, count]
    assert torch.equal(torch.cat([row(start, stop) for start, stop in pairwise(cuts)]), whole)
    assert torch.equal(row(0, count), whole)
