"""Frames beyond the end of a row are 0; where no row ends early there is nothing to do."""

import torch

from speech.nn.kokoro.masks import frame_mask, masked


def test_a_mask_is_one_up_to_the_end_of_each_row():
    mask = frame_mask(torch.tensor([3, 1]), 3)
    assert mask.tolist() == [[[1, 1, 1]], [[1, 0, 0]]]
    x = torch.full((2, 4, 3), 2.0)
    assert masked(x, mask)[1].tolist() == [[2, 0, 0]] * 4
    assert masked(x.bfloat16(), mask).dtype == torch.bfloat16


def test_rows_of_equal_length_need_no_mask():
    assert frame_mask(torch.tensor([3, 3]), 3) is None
    x = torch.ones(2, 4, 3)
    assert masked(x, None) is x
