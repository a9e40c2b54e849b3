"""What each change does to a signal that is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.audio.augment import (
    AugmentConfig,
    WaveAugment,
    add_noise,
    coloured_noise,
    gain,
    narrowband,
    reverb,
    room,
    spec_augment,
    speed,
)
from speech.errors import ConfigError

RATE = 16_000
OFF = {f"{name}_probability": 0.0 for name in ("speed", "gain", "noise", "reverb", "narrowband")}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def tone(hz: float, duration_s: float = 1.0) -> np.ndarray:
    return (0.1 * np.sin(2 * np.pi * hz * np.arange(int(duration_s * RATE)) / RATE)).astype(np.float32)


def white(count: int, seed: int = 0) -> np.ndarray:
    return (0.1 * rng(seed).standard_normal(count)).astype(np.float32)


def peak_hz(samples: np.ndarray) -> float:
    return float(np.abs(np.fft.rfft(samples * np.hanning(len(samples)))).argmax() * RATE / len(samples))


def power_db(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(samples.astype(np.float64) ** 2)))


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.1])
def test_speed_shortens_time_and_raises_pitch(factor: float) -> None:
    changed = speed(tone(1000.0), factor)
    assert changed.dtype == np.float32
    assert len(changed) == pytest.approx(RATE / factor, abs=1)
    assert peak_hz(changed) == pytest.approx(1000.0 * factor, abs=3.0)


@pytest.mark.parametrize("db", [-15.0, 0.0, 15.0])
def test_gain_changes_power_by_its_decibels(db: float) -> None:
    assert power_db(gain(tone(300.0), db)) - power_db(tone(300.0)) == pytest.approx(db, abs=1e-3)


def test_gain_stops_at_full_scale_and_leaves_silence_alone() -> None:
    assert np.abs(gain(tone(300.0), 40.0)).max() == pytest.approx(1.0)
    np.testing.assert_array_equal(gain(np.zeros(10, np.float32), 15.0), np.zeros(10, np.float32))


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 20.0])
def test_noise_is_added_at_the_ratio_asked_for(snr_db: float) -> None:
    speech = tone(300.0)
    noisy = add_noise(speech, 7.0 * white(RATE), snr_db)
    assert noisy.dtype == np.float32
    assert power_db(speech) - power_db(noisy - speech) == pytest.approx(snr_db, abs=0.01)


def test_noise_on_silence_or_silence_as_noise_stays_finite() -> None:
    zeros = np.zeros(100, np.float32)
    np.testing.assert_array_equal(add_noise(zeros, white(100), 10.0), zeros)
    np.testing.assert_array_equal(add_noise(white(100), zeros, 10.0), white(100))


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
def test_coloured_noise_falls_with_its_exponent(exponent: float) -> None:
    samples = coloured_noise(1 << 17, exponent, rng())
    power = np.abs(np.fft.rfft(samples)) ** 2
    hz = np.arange(len(power)) * RATE / len(samples)
    bands = [power[(hz >= low) & (hz < 2 * low)].mean() for low in (100, 200, 400, 800, 1600, 3200)]
    slope = np.polyfit(np.log2([1, 2, 4, 8, 16, 32]), np.log2(bands), 1)[0]
    assert slope == pytest.approx(-exponent, abs=0.15)


def test_a_room_begins_with_the_direct_path_and_falls_by_60_db_in_its_time() -> None:
    impulse = room(rng(), 0.4).astype(np.float64)
    assert len(impulse) == int(0.4 * RATE)
    assert impulse[0] == 1.0 == np.abs(impulse).max()
    early, late = impulse[1000:1400], impulse[5000:5400]  # 0.25 s apart
    assert power_db(early) - power_db(late) == pytest.approx(60 * 0.25 / 0.4, abs=2.0)


@settings(max_examples=20, deadline=None)
@given(count=st.integers(1, 3000), taps=st.integers(1, 400))
def test_reverb_is_a_convolution_that_keeps_length_and_start(count: int, taps: int) -> None:
    samples, impulse = white(count), white(taps, seed=1)
    found = reverb(samples, impulse)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.convolve(samples, impulse)[:count], atol=1e-5)


def test_narrowband_keeps_what_a_telephone_carries_and_the_alignment() -> None:
    low, high = tone(1000.0), tone(6000.0)
    inner = slice(2000, -2000)
    found = narrowband(low + high)
    assert len(found) == len(low)
    np.testing.assert_allclose(found[inner], low[inner], atol=2e-3)


@settings(max_examples=30, deadline=None)
@given(count=st.integers(400, 20_000), seed=st.integers(0, 10_000))
def test_augmented_speech_is_finite_float32_of_about_the_same_length(count: int, seed: int) -> None:
    found = WaveAugment(AugmentConfig())(white(count), rng(seed))
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert count / 1.11 - 2 <= len(found) <= count / 0.89 + 2


def test_the_generator_alone_decides() -> None:
    augment = WaveAugment(AugmentConfig())
    np.testing.assert_array_equal(augment(white(8000), rng(3)), augment(white(8000), rng(3)))
    assert any(len(augment(white(8000), rng(k))) != 8000 for k in range(8))


def test_the_samples_given_are_not_written_to() -> None:
    samples = white(8000)
    samples.flags.writeable = False
    for seed in range(20):
        WaveAugment(AugmentConfig())(samples, rng(seed))
    np.testing.assert_array_equal(samples, white(8000))


def test_nothing_happens_at_probability_zero() -> None:
    np.testing.assert_array_equal(WaveAugment(AugmentConfig(**OFF))(white(800), rng()), white(800))


@pytest.mark.parametrize("name", ["gain", "noise", "reverb", "narrowband"])
def test_each_change_happens_at_probability_one_and_keeps_the_length(name: str) -> None:
    augment = WaveAugment(AugmentConfig(**{**OFF, f"{name}_probability": 1.0}))
    found = augment(white(8000), rng())
    assert len(found) == 8000
    assert not np.allclose(found, white(8000))


def test_a_probability_beyond_one_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="reverb_probability"):
        AugmentConfig(reverb_probability=1.5)


@settings(max_examples=30, deadline=None)
@given(lengths=st.lists(st.integers(1, 200), min_size=1, max_size=4), seed=st.integers(0, 1000))
def test_masks_stay_within_their_widths_and_within_the_utterance(lengths: list[int], seed: int) -> None:
    features = torch.randn(len(lengths), max(lengths), 80, generator=torch.Generator().manual_seed(seed))
    sizes = torch.tensor(lengths)
    real = (torch.arange(max(lengths)) < sizes[:, None])[..., None]
    features = features * real
    found = spec_augment(features, sizes, torch.Generator().manual_seed(seed))
    changed = found != features
    assert not (changed & ~real).any()
    for row, length in enumerate(lengths):
        mean = features[row, :length].mean()
        torch.testing.assert_close(found[row][changed[row]], mean.expand(int(changed[row].sum())), atol=1e-4, rtol=1e-4)
        whole_bins = changed[row, :length].all(dim=0)
        whole_frames = changed[row, :length].all(dim=1)
        if not whole_frames.all():
            assert int(whole_bins.sum()) <= 2 * 27
        if not whole_bins.all():
            assert int(whole_frames.sum()) <= 10 * int(0.05 * length)
        others = changed[row, :length][~whole_frames][:, ~whole_bins]
        assert not others.any()


def test_masks_differ_between_rows_and_repeat_with_the_generator() -> None:
    features = torch.randn(1, 200, 80, generator=torch.Generator().manual_seed(0)).expand(4, -1, -1)
    lengths = torch.full((4,), 200)
    first = spec_augment(features, lengths, torch.Generator().manual_seed(1))
    torch.testing.assert_close(first, spec_augment(features, lengths, torch.Generator().manual_seed(1)))
    assert not torch.equal(first[0], first[1])
    assert (first != features).float().mean() > 0.05


def test_no_masks_change_nothing() -> None:
    features = torch.randn(2, 50, 80, generator=torch.Generator().manual_seed(0))
    found = spec_augment(features, torch.tensor([50, 30]), torch.Generator(), freq_masks=0, time_masks=0)
    torch.testing.assert_close(found, features, atol=0, rtol=0)
