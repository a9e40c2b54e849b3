"""The fundamental frequency of tones, of noise and of speech."""

from importlib.resources import files

import numpy as np
import pytest

from speech.audio.input.files import load_audio
from speech.audio.pitch import fundamental_frequency


@pytest.mark.parametrize("rate", [16000, 24000])
@pytest.mark.parametrize("hz", [75.0, 121.3, 240.0, 400.0])
def test_tones_with_harmonics(hz, rate):
    times = np.arange(rate) / rate
    tone = sum(np.sin(2 * np.pi * hz * n * times) / n for n in range(1, 6)).astype(np.float32)
    found = fundamental_frequency(tone, rate)
    assert found == pytest.approx(np.full(len(found), hz), rel=0.005)
    assert len(found) == pytest.approx(95, abs=2)


def test_noise_and_silence_have_none():
    noise = np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    assert (fundamental_frequency(noise, 16000) > 0).mean() < 0.02
    assert not fundamental_frequency(np.zeros(16000, np.float32), 16000).any()
    assert len(fundamental_frequency(noise[:100], 16000)) == 0


def test_a_voice_is_found_where_it_speaks():
    clip = load_audio(files("speech") / "assets" / "clips" / "ast_en_priv-callpending.ogg")
    quiet = np.concatenate([clip, np.zeros(16000, np.float32)])
    found = fundamental_frequency(quiet, 16000)
    voiced = found[found > 0]
    assert 0.2 < (found > 0).mean() < 0.8
    assert 150 < np.median(voiced) < 260  # a woman
    assert not found[-95:].any()
