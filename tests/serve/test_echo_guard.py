"""Our voice is taken out of what the microphone hears."""

import numpy as np

from serve.echo_guard import EchoGuard
from speech.audio.echo import DELAY_SAMPLES

RATE = 16_000
BLOCK = 512


def through(guard: EchoGuard, voice: np.ndarray, delay: int) -> tuple[np.ndarray, np.ndarray]:
    """A microphone that hears a voice somewhat later, and what is left of it."""
    heard = np.pad(voice * 0.5, (delay, 0))[: len(voice)].astype(np.float32)
    cleaned = []
    for start in range(0, len(voice) - BLOCK, BLOCK):
        guard.play(voice[start : start + BLOCK], RATE)
        cleaned.append(guard.clean(heard[start : start + BLOCK]))
    return heard, np.concatenate(cleaned)


def test_an_echo_is_found_at_its_delay():
    voice = np.random.default_rng(0).normal(0, 0.1, 6 * RATE).astype(np.float32)
    heard, cleaned = through(EchoGuard(), voice, 1600)
    late = slice(4 * RATE, 5 * RATE)
    assert np.square(cleaned[late]).mean() < 0.01 * np.square(heard[late]).mean()


def test_where_nothing_is_played_the_microphone_passes():
    guard = EchoGuard()
    guard.play(np.ones(8000, np.float32), 24_000)
    guard.forget()
    heard = np.random.default_rng(1).normal(0, 0.1, 4 * RATE).astype(np.float32)
    cleaned = np.concatenate([guard.clean(heard[start : start + BLOCK]) for start in range(0, len(heard), BLOCK)])
    np.testing.assert_array_equal(cleaned[DELAY_SAMPLES:], heard[: len(cleaned) - DELAY_SAMPLES])
