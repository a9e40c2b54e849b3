"""Positions: a ring that is smooth everywhere, and the published ones."""

import math

import torch

from speech.nn.encoder.positions import SinusoidalPositions


def test_ring_positions_repeat_and_stay_near_the_published_ones():
    ring = SinusoidalPositions(64, period=6000, interleaved=False)
    published = SinusoidalPositions(64, period=None, interleaved=False)
    index = torch.arange(200)
    assert torch.equal(ring(index), ring(index + 6000 * 5))
    assert (ring(index) - published(index)).abs().max() < math.pi / 6000 * 200 + 1e-6
    steps = (ring(torch.arange(6001)).diff(dim=0)).norm(dim=-1)
    assert steps.max() / steps.min() < 1.001  # smooth across the seam: every step is as long


def test_published_positions_alternate_sine_and_cosine():
    y = SinusoidalPositions(4, period=None, interleaved=True)(torch.tensor([1]))
    expected = [math.sin(1), math.cos(1), math.sin(0.01), math.cos(0.01)]
    torch.testing.assert_close(y[0], torch.tensor(expected))
