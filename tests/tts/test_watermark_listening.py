"""Listening at several speeds: times are those of the original, and pieces are heard as the whole."""

import numpy as np
import pytest
import soxr
import torch

from speech.tts.watermark_listening import SPEEDS, MarkListener, MarkLogits
from tests.tiny_watermark import tiny_watermark

RATE = 8000


@pytest.fixture(scope="module")
def model():
    return tiny_watermark()


def noise(count: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def heard(model, pieces: list[np.ndarray], speed: float = 1.0) -> MarkLogits:
    listener = MarkListener(model, speed)
    for piece in pieces:
        listener.push(piece)
    return listener.finish()


def test_what_is_heard_is_what_the_detector_says(model):
    samples = noise(9999)
    with torch.inference_mode():
        found = model.detector(torch.from_numpy(samples)[None])
    whole = heard(model, [samples])
    np.testing.assert_allclose(whole.presence, found.presence[0].numpy(), atol=2e-5)
    bits = np.pad(found.bits[0].clamp(-3, 3).numpy(), ((0, 5), (0, 0)))  # 125 frames, ten to a step
    np.testing.assert_allclose(whole.bits, 0.01 * bits.reshape(13, 10, 16).sum(axis=1), atol=2e-5)


@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize("seed", range(2))
def test_pieces_are_heard_as_the_whole(model, speed, seed):
    samples, rng = noise(9999, seed), np.random.default_rng(seed)
    pieces = np.split(samples, np.sort(rng.integers(0, len(samples), 9)))
    one, many = heard(model, [samples], speed), heard(model, pieces, speed)
    np.testing.assert_allclose(many.presence, one.presence, atol=1e-4)
    np.testing.assert_allclose(many.bits, one.bits, atol=1e-4)
    assert one.duration_s == pytest.approx(9999 / RATE, abs=0.01)


def test_a_speed_is_undone(model):
    """What is played faster is heard as the original is."""
    samples = noise(3 * RATE)
    fast = np.asarray(soxr.resample(samples, 1.124 * RATE, RATE), np.float32)
    slow_again = np.asarray(soxr.resample(fast, RATE, 1.124 * RATE), np.float32)
    expected, found = heard(model, [slow_again]), heard(model, [fast], 1.124)
    count = min(len(expected.presence), len(found.presence)) - 2
    np.testing.assert_allclose(found.presence[:count], expected.presence[:count], atol=1e-2)
    assert abs(len(found.presence) - 300) <= 1


def test_votes_count_where_there_is_a_mark():
    bits = np.ones((3, 16), np.float32)
    presence = np.concatenate([np.full(10, 9.0), np.full(10, -9.0), np.zeros(5)]).astype(np.float32)
    votes = MarkLogits(1.0, 0.01, presence, bits).votes()
    np.testing.assert_allclose(votes[:, 0], [1.0, 0.0, 0.5], atol=1e-3)
