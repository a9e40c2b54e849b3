"""Losses: what counts, and what does not."""

import math

import pytest
import torch

from speech.nn.watermark.detector import Detected
from speech.train.watermark.losses import LoudnessLoss, audible, detection_loss, snr_db


def detected(presence: torch.Tensor, bits: torch.Tensor) -> Detected:
    return Detected(presence, bits)


def test_what_is_right_costs_little_and_what_is_wrong_much():
    marked = torch.tensor([[True] * 60 + [False] * 40])
    bits, counts = torch.tensor([[1.0, 0.0]]), torch.ones(1, 100, dtype=torch.bool)
    presence = torch.where(marked, 5.0, -5.0)
    said = torch.tensor([4.0, -4.0]).expand(1, 100, 2)
    right = detection_loss(detected(presence, said), marked, counts, bits)
    wrong = detection_loss(detected(-presence, -said), marked, counts, bits)
    assert right.presence == pytest.approx(math.log1p(math.exp(-5)), rel=1e-3)
    assert wrong.presence == pytest.approx(5 + math.log1p(math.exp(-5)), rel=1e-3)
    assert wrong.bits > 4 > 0.1 > right.bits
    assert (right.frames_right, right.bits_right) == (1, 1)
    assert (wrong.frames_right, wrong.bits_right) == (0, 0)


def test_frames_that_do_not_count_and_bits_of_unmarked_frames_cost_nothing():
    marked, bits = torch.tensor([[True] * 60 + [False] * 40]), torch.ones(1, 2)
    counts = torch.ones(1, 100, dtype=torch.bool)
    counts[:, 30:50] = False
    generator = torch.Generator().manual_seed(0)
    presence, said = torch.randn(1, 100, generator=generator), torch.randn(1, 100, 2, generator=generator)
    before = detection_loss(detected(presence, said), marked, counts, bits)
    presence[:, 30:50] += 9
    said[:, 60:] += 9
    said[:, 30:50] += 9
    after = detection_loss(detected(presence, said), marked, counts, bits)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_row_with_too_few_marked_frames_is_not_asked_for_its_message():
    marked = torch.zeros(1, 100, dtype=torch.bool)
    found = detection_loss(detected(torch.zeros(1, 100), torch.ones(1, 100, 2)), marked, ~marked, torch.ones(1, 2))
    assert (found.bits, found.bits_right) == (0, 0)
    assert found.presence == pytest.approx(math.log(2))


def test_silence_is_not_audible_but_a_pause_between_words_is():
    samples = torch.zeros(1, 1005)
    samples[:, :300] = 0.1
    found = audible(samples, 10)
    assert found.shape == (1, 101)
    assert found[0, :49].all()
    assert not found[0, 55:].any()


def test_a_mark_below_the_limit_costs_nothing_and_one_above_it_its_excess():
    loss = LoudnessLoss(8000, 20.0)
    clean = 0.2 * torch.randn(2, 8000, generator=torch.Generator().manual_seed(0))
    quiet, loud = (float(loss(clean * (1 + 10 ** (-db / 20)), clean)) for db in (25.0, 10.0))
    assert quiet == 0
    assert loud == pytest.approx(1.0, abs=0.05)  # ten decibels too many


def test_nothing_in_silence_costs_nothing():
    loss = LoudnessLoss(8000, 20.0)
    assert loss(torch.zeros(1, 8000), torch.zeros(1, 8000)) == 0


def test_the_ratio_is_that_of_powers():
    clean = torch.randn(3, 1000, generator=torch.Generator().manual_seed(0))
    assert float(snr_db(1.1 * clean, clean)) == pytest.approx(20.0, abs=1e-3)
