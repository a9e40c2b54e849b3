"""Lossy codecs: the same length and place, changed but alike, the more bits the closer."""

import numpy as np
import pytest

from speech.train.watermark.lossy import LossyFormat, through_codec

RATE = 24000


def tone(count: int) -> np.ndarray:
    """A voice-like tone whose level changes, so that its place is known."""
    times = np.arange(count) / RATE
    wave = sum(np.sin(2 * np.pi * 140 * k * times) / k for k in range(1, 20))
    return (0.1 * wave * (1 + np.sin(2 * np.pi * 3.3 * times))).astype(np.float32)


def snr_db(clean: np.ndarray, heard: np.ndarray) -> float:
    return float(10 * np.log10(np.square(clean).sum() / np.square(clean - heard).sum()))


@pytest.mark.parametrize(("kind", "kbit_s"), [(LossyFormat.mp3, 64), (LossyFormat.opus, 24)])
def test_what_comes_back_is_at_the_same_place(kind, kbit_s):
    samples = tone(24000)
    heard = through_codec(samples, RATE, kind, 1000 * kbit_s)
    assert heard.shape == samples.shape
    assert not np.array_equal(heard, samples)
    lags = range(-80, 81, 4)  # less than a period of the tone
    inner = slice(2000, 20000)
    errors = [snr_db(samples[inner], np.roll(heard, lag)[inner]) for lag in lags]
    assert abs(lags[int(np.argmax(errors))]) <= 4
    assert max(errors) > 8


def test_more_bits_are_closer():
    samples = tone(24000)
    few, many = (snr_db(samples, through_codec(samples, RATE, LossyFormat.mp3, rate)) for rate in (16000, 128000))
    assert many > few + 3


@pytest.mark.parametrize("kind", list(LossyFormat))
def test_a_moment_of_audio_passes_too(kind):
    assert through_codec(tone(500), RATE, kind, 32000).shape == (500,)
