"""Attacks: each changes speech as it says, keeps track of time, and lets gradients pass."""

import math

import pytest
import torch

from speech.train.watermark.attacks import (
    Attacks,
    Draw,
    coloured,
    eight_bits,
    mixed,
    mu_law,
    resampled,
    straight_through,
)
from speech.train.watermark.config import AttackConfig

RATE, HOP = 16000, 160
NAMES = ["speed", "resample", "band_pass", "noise", "echo", "clip", "gain", "quantize", "cut", "mix", "lossy"]


def draw(seed: int = 0) -> Draw:
    return Draw(torch.Generator().manual_seed(seed))


def noise(count: int = 8000, seed: int = 1) -> torch.Tensor:
    return 0.1 * torch.randn(count, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", NAMES)
def test_each_attack_changes_the_samples_and_lets_the_gradient_pass(name):
    samples = noise().requires_grad_()
    found = Attacks(AttackConfig(), RATE, HOP).apply(name, samples, noise(seed=2), draw())
    assert found.samples.isfinite().all()
    assert len(found.frames) == -(-len(found.samples) // HOP)
    assert 0 <= found.frames.min() <= found.frames.max() < 50
    same = found.samples.shape == samples.shape
    assert not same or not torch.allclose(found.samples, samples, atol=1e-5)
    found.samples.square().sum().backward()
    assert samples.grad is not None
    assert (samples.grad != 0).float().mean() > 0.3


@pytest.mark.parametrize("name", NAMES)
def test_the_same_draw_gives_the_same_attack(name):
    attacks, samples = Attacks(AttackConfig(), RATE, HOP), noise()
    first, second = (attacks.apply(name, samples, noise(seed=2), draw(5)).samples for _ in range(2))
    assert torch.equal(first, second)


def test_a_share_of_rows_is_attacked():
    attacks = Attacks(AttackConfig(share=0.5, lossy=0.0), RATE, HOP)
    one, samples = draw(), noise(800)
    same = [torch.equal(attacks(samples, noise(800, 2), one).samples, samples) for _ in range(200)]
    assert 70 < sum(same) < 130
    never = Attacks(AttackConfig(share=1.0, **dict.fromkeys(NAMES, 0.0)), RATE, HOP)
    assert torch.equal(never(samples, samples, one).samples, samples)


def test_frames_of_another_speed_are_where_they_come_from():
    samples = torch.repeat_interleave(torch.arange(50.0), HOP)
    config = AttackConfig(speed_range=0.1)
    found = Attacks(config, RATE, HOP).apply("speed", samples, samples, draw(4))
    middles = found.samples[HOP // 2 :: HOP][: len(found.frames)]
    assert len(found.samples) != len(samples)
    assert (middles[3:-3] - found.frames[: len(middles)][3:-3]).abs().max() < 1.6


def test_frames_of_a_cut_are_where_they_come_from():
    samples = torch.repeat_interleave(torch.arange(50.0), HOP)
    found = Attacks(AttackConfig(), RATE, HOP).apply("cut", samples, samples, draw(1))
    assert torch.equal(found.samples[::HOP], found.frames.float())
    assert found.frames[0] > 0


def test_resampling_keeps_a_tone():
    times = torch.arange(8000) / 8000
    tone = torch.sin(2 * math.pi * 440 * times)
    there = resampled(tone, 12000)
    torch.testing.assert_close(there, torch.sin(2 * math.pi * 440 * torch.arange(12000) / 12000), atol=1e-3, rtol=0)
    torch.testing.assert_close(resampled(there, 8000), tone, atol=1e-3, rtol=0)


def test_a_mixture_has_the_ratio_that_was_asked_for():
    samples, other = noise(), 5 * noise(seed=2)
    added = mixed(samples, other, 6.0) - samples
    ratio = 10 * (samples.square().mean() / added.square().mean()).log10()
    assert float(ratio) == pytest.approx(6.0, abs=1e-3)


def test_pink_noise_falls_by_three_decibels_an_octave():
    power = torch.fft.rfft(coloured(torch.randn(1 << 16, generator=torch.Generator().manual_seed(0)), 1.0)).abs() ** 2
    ratio = power[4000:8000].mean() / power[8000:16000].mean()
    assert float(10 * ratio.log10()) == pytest.approx(3.0, abs=0.3)


def test_eight_bits_have_few_values_and_mu_law_is_finer_for_quiet_speech():
    samples = torch.linspace(-1, 1, 5001)
    assert len(eight_bits(samples).unique()) == 255
    assert len(mu_law(samples).unique()) <= 255
    quiet = 0.01 * samples
    assert (mu_law(quiet) - quiet).abs().max() < 0.2 * (eight_bits(quiet) - quiet).abs().max()
    assert (mu_law(samples) - samples).abs().max() < 0.03


def test_straight_through_has_the_value_of_one_and_the_gradient_of_the_other():
    samples = noise(10).requires_grad_()
    found = straight_through(samples, torch.ones(10))
    torch.testing.assert_close(found, torch.ones(10))
    found.sum().backward()
    assert torch.equal(samples.grad, torch.ones(10))
