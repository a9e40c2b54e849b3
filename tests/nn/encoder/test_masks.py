"""Who sees whom: a chunk, its past and the prefix."""

import pytest
import torch

from speech.chunking import ChunkSpec
from speech.errors import ConfigError
from speech.nn.encoder.masks import SequenceLayout, padding_mask, reduced

CPU = torch.device("cpu")


def test_layout_shows_a_frame_its_chunk_its_past_and_the_prefix():
    layout = SequenceLayout.build(1, 6, ChunkSpec(size=2, left_context=1), CPU)
    mask = layout.attention_mask(torch.tensor([6]))
    assert mask is not None
    seen = [[int(k) for k in torch.nonzero(row).flatten()] for row in mask[0, 0]]
    assert seen == [[0], [0, 1, 2], [0, 1, 2], [0, 2, 3, 4], [0, 2, 3, 4], [0, 4, 5, 6], [0, 4, 5, 6]]


def test_full_context_without_padding_needs_no_mask():
    assert SequenceLayout.build(2, 5, None, CPU).attention_mask(torch.tensor([5, 5])) is None


def test_reduced_chunks_are_exact():
    assert reduced(ChunkSpec(size=8, left_context=4), 2) == ChunkSpec(size=4, left_context=2)
    with pytest.raises(ConfigError):
        reduced(ChunkSpec(size=3, left_context=4), 2)


def test_padding_mask_counts_frames():
    assert padding_mask(torch.tensor([0, 2]), 3).tolist() == [[False] * 3, [True, True, False]]


def test_copies_are_the_frames_behind_each_chunk_and_zero_behind_the_end():
    layout = SequenceLayout.build(0, 5, ChunkSpec(size=2, left_context=2, right_context=1), CPU)
    x = torch.arange(1.0, 6.0).view(1, 5, 1)
    assert layout.with_copies(x).flatten().tolist() == [1, 2, 3, 4, 5, 3, 5, 0]
    assert layout.is_copy.tolist() == [False] * 5 + [True] * 3
    assert layout.valid(torch.tensor([5])).tolist() == [[True] * 7 + [False]]


def test_windows_of_a_convolution_hold_a_chunk_its_past_and_its_right_context():
    layout = SequenceLayout.build(1, 4, ChunkSpec(size=2, left_context=0, right_context=1), CPU)
    inputs, outputs = layout.windows(2)
    # Positions: 0 the prefix, 1 to 4 the frames, 5 and 6 the copies; -1 is zero.
    assert inputs.tolist() == [[-1, -1, 0, -1, -1], [-1, 0, 1, 2, 5], [1, 2, 3, 4, 6]]
    assert inputs[:, 2:].flatten()[outputs].tolist() == list(range(7))


def test_a_layout_is_halved_and_set_behind_a_prefix():
    layout = SequenceLayout.build(0, 7, ChunkSpec(size=4, left_context=8, right_context=2), CPU)
    behind = layout.behind(2)
    assert behind.times.tolist() == [-2, -1, *range(7), 4, 5, 8, 9]
    halved = behind.halved()
    assert halved.chunk == ChunkSpec(size=2, left_context=4, right_context=1)
    assert halved.times.tolist() == [-1, 0, 1, 2, 3, 2, 4]
    assert SequenceLayout.build(0, 3, None, CPU).halved().times.tolist() == [0, 1]
    with pytest.raises(ConfigError, match="cannot be reduced in time by 2"):
        SequenceLayout.build(0, 3, ChunkSpec(size=3, left_context=4), CPU).halved()
