"""CTC losses: the sum over all alignments, weighted as published."""

import math

import pytest
import torch

from speech.nn.losses import ctc_loss, multi_ctc_loss


def test_ctc_loss_equals_the_sum_over_alignments():
    log_probs = torch.randn(1, 3, 3).log_softmax(-1)
    p = log_probs[0].exp()
    ways = [(1, 1, 1), (0, 1, 1), (1, 1, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0)]
    expected = -math.log(sum(float(p[0, a] * p[1, b] * p[2, c]) for a, b, c in ways))
    loss = ctc_loss(log_probs, torch.tensor([3]), torch.tensor([[1]]), torch.tensor([1]))
    assert float(loss[0]) == pytest.approx(expected, rel=1e-5)


def test_an_impossible_target_counts_zero():
    log_probs = torch.randn(1, 2, 3).log_softmax(-1)
    assert ctc_loss(log_probs, torch.tensor([2]), torch.tensor([[1, 1, 2]]), torch.tensor([3])).tolist() == [0.0]


def test_losses_are_weighted_as_published():
    final, inter = torch.tensor(2.0), [torch.tensor(4.0), torch.tensor(6.0)]
    assert float(multi_ctc_loss(final, inter, 0.8)) == pytest.approx(0.2 * 2 + 0.8 * 5)
    assert float(multi_ctc_loss(final, [], 0.8)) == 2.0
