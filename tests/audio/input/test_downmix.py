"""Channels that cancel each other are not mixed; blocks of any size give the same samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.audio.input.downmix import Mixer
from speech.audio.input.files import load_audio
from tests.audio.made import RATE, muxed, tone, written


def noise(count: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def mixed(block: np.ndarray, sizes: list[int] | None = None) -> np.ndarray:
    mixer, bounds = Mixer(block.shape[1], RATE, "test"), np.cumsum(sizes or [len(block)])
    return np.concatenate([mixer.mix(part) for part in np.split(block, bounds)])


def test_one_channel_is_as_it_is_and_others_are_their_mean() -> None:
    samples = noise(RATE)
    np.testing.assert_array_equal(mixed(samples[:, None]), samples)
    for other in (samples, 0 * samples, noise(RATE, 1), -samples / 2):
        both = np.stack([samples, other], axis=1)
        np.testing.assert_array_equal(mixed(both), both.mean(axis=1))


@pytest.mark.parametrize("channels", [3, 6, 8, 32])
def test_one_voice_among_many_silent_channels_is_no_cancellation(channels: int) -> None:
    block = np.zeros((RATE, channels), np.float32)
    block[:, 2] = noise(RATE)
    np.testing.assert_array_equal(mixed(block), block.mean(axis=1))


def test_opposite_channels_give_the_first_or_one_that_is_much_louder(caplog: pytest.LogCaptureFixture) -> None:
    samples = noise(RATE)
    found = mixed(np.stack([samples, -samples], axis=1))
    np.testing.assert_array_equal(found[320:], samples[320:])
    assert caplog.messages == ["test: channels are of opposite phase and cancel each other, took channel 0"]
    # Three channels whose sum is zero: the third is as loud as both others.
    three = np.stack([samples, samples, -2 * samples], axis=1)
    np.testing.assert_array_equal(mixed(three)[320:], -2 * samples[320:])


def test_the_mean_returns_with_channels_that_agree() -> None:
    samples = noise(8 * RATE)
    signs = np.repeat([-1.0, 1.0, -1.0, 1.0], 2 * RATE).astype(np.float32)
    both = np.stack([samples, signs * samples], axis=1)
    found = mixed(both)
    np.testing.assert_allclose(found[RATE : 2 * RATE], samples[RATE : 2 * RATE])
    lost = np.abs(found - samples) > 1e-6
    assert lost[:320].all()
    assert lost[320:].mean() < 0.04
    assert not lost[4 * RATE + RATE // 3 :].any()  # a third of a second after the second change


def test_silence_decides_nothing() -> None:
    silence = np.zeros((RATE, 2), np.float32)
    silence[:, 0], silence[:, 1] = 1e-6, -1e-6
    np.testing.assert_array_equal(mixed(silence), 0)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 3000), max_size=30),
    seed=st.integers(0, 99),
    channels=st.integers(2, 5),
    opposite=st.lists(st.booleans(), min_size=4, max_size=4),
)
def test_the_split_changes_nothing(sizes: list[int], seed: int, channels: int, opposite: list[bool]) -> None:
    block = np.repeat(noise(12_000, seed)[:, None], channels, axis=1)
    block[:, 0] *= np.repeat([1 - channels if each else 1 for each in opposite], 3000)
    np.testing.assert_array_equal(mixed(block, sizes), mixed(block))


def test_files_of_opposite_phase_are_heard_and_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    both = np.stack([tone(2.0), -tone(2.0)], axis=1)
    found = load_audio(written(both, "FLAC"), name="phase.flac")
    np.testing.assert_allclose(found[320:], tone(2.0)[320:], atol=1e-4)
    assert "phase.flac: channels are of opposite phase" in caplog.text
    assert "--channel chooses" in caplog.text
    caplog.clear()
    np.testing.assert_allclose(load_audio(written(both, "FLAC"), channel=1), -tone(2.0), atol=1e-4)
    load_audio(muxed("mp4", "aac", (tone(1.0), 0)))
    assert not caplog.messages
