"""Sounds without speech: each kind is what it says, of the length asked for, no louder than allowed, repeatable."""

import numpy as np
import pytest

from speech.audio import SAMPLE_RATE
from speech.audio.nonspeech import _KINDS, nonspeech


@pytest.mark.parametrize("kind", sorted(set(_KINDS), key=lambda kind: kind.__name__))
@pytest.mark.parametrize("count", [1, 7, 800, 2 * SAMPLE_RATE])
def test_every_kind_has_the_length_asked_for_and_finite_samples(kind, count):
    for seed in range(3):
        sound = kind(count, np.random.default_rng(seed))
        assert sound.shape == (count,)
        assert np.isfinite(sound).all()


def test_loudness_is_between_silence_and_half_of_full_scale():
    peaks = []
    for seed in range(60):
        sound = nonspeech(SAMPLE_RATE, np.random.default_rng(seed))
        assert sound.dtype == np.float32
        assert sound.shape == (SAMPLE_RATE,)
        peaks.append(float(np.abs(sound).max()))
    assert max(peaks) <= 10 ** (-6 / 20) + 1e-4
    assert min(peaks) == 0.0  # digital silence is one of them
    assert 0 < sorted(peaks)[10] < 0.05


def test_chance_alone_decides_what_is_heard():
    first, again, other = (nonspeech(8000, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_kinds_differ_in_what_they_sound_like():
    """Hum is low, noise is everywhere, breath comes and goes."""
    named = {kind.__name__: kind for kind in _KINDS}

    def centre(name: str) -> float:
        """Of the spectrum, in Hz."""
        power = np.abs(np.fft.rfft(named[name](4 * SAMPLE_RATE, np.random.default_rng(1)))) ** 2
        return float((power * np.linspace(0, SAMPLE_RATE / 2, len(power))).sum() / power.sum())

    assert centre("_hum") < 500
    assert centre("_beeps") > 250
    breath = named["_breath"](8 * SAMPLE_RATE, np.random.default_rng(1)).reshape(80, -1).std(axis=1)
    assert breath.min() < 0.05 * breath.max()
