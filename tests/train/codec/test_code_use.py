"""Statistics of codes, counted by hand."""

import math

import pytest
import torch

from speech.train.codec.code_use import code_use, count_codes


def test_codes_of_real_frames_are_counted():
    codes = torch.tensor([[[0, 1, 1], [3, 3, 3]], [[2, 0, 0], [0, 1, 2]]])
    valid = torch.tensor([[True, True, True], [True, False, False]])
    assert count_codes(codes, valid, 4).tolist() == [[1, 2, 1, 0], [1, 0, 0, 3]]


def test_use_and_perplexity_of_each_codebook():
    found = code_use(torch.tensor([[5, 5, 5, 5], [8, 0, 0, 0], [2, 2, 0, 0], [0, 0, 0, 0]]))
    assert found.used.tolist() == [1.0, 0.25, 0.5, 0.0]
    assert found.perplexity.tolist() == pytest.approx([4.0, 1.0, 2.0, 1.0])
    entropy = -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    assert float(code_use(torch.tensor([[3, 1]])).perplexity) == pytest.approx(math.exp(entropy))
