"""Durations of symbols: seconds or frames, as many frames as there are codes."""

import pytest
import torch

from speech.errors import DataError
from speech.tensors import save_tensors
from speech.train.speech_lm.alignments import aligned_frames, read_alignments


def test_seconds_become_whole_frames_whose_rounding_is_carried_over():
    found = aligned_frames(torch.tensor([0.021, 0.055, 0.0, 0.13]), 4, 5, 0.04)
    torch.testing.assert_close(found.frames.float(), torch.tensor([0.525, 1.375, 0.0, 3.25]))
    assert found.frame_counts.tolist() == [1, 1, 0, 3]
    assert float(found.frames.sum()) >= 5


def test_integers_are_frames():
    found = aligned_frames(torch.tensor([2, 0, 3]), 3, 5, 0.04)
    assert found.frame_counts.tolist() == [2, 0, 3]
    assert found.frames.tolist() == [2, 0, 3]


@pytest.mark.parametrize(("codes", "counts"), [(8, [2, 0, 6]), (5, [2, 0, 3]), (2, [2, 0, 0])])
def test_what_the_codec_appended_belongs_to_the_last_symbol(codes, counts):
    found = aligned_frames(torch.tensor([2, 0, 3]), 3, codes, 0.04)
    assert found.frame_counts.tolist() == counts
    assert int(found.frame_counts.sum()) == codes
    assert float(found.frames.sum()) == max(codes, 5)


def test_durations_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="2 durations for 3 symbols"):
        aligned_frames(torch.tensor([2, 1]), 3, 3, 0.04)
    for codes in (1, 9):
        with pytest.raises(DataError, match=f"its symbols last 5 frames, its codes {codes}"):
            aligned_frames(torch.tensor([2, 3]), 2, codes, 0.04)
    with pytest.raises(DataError, match="last 0 frames"):
        aligned_frames(torch.zeros(0), 0, 2, 0.04)


def test_files_are_checked(tmp_path):
    path = tmp_path / "dev.safetensors"
    with pytest.raises(DataError, match="no such file"):
        read_alignments(path)
    save_tensors(path, {"a": torch.tensor([0.1, 0.2]), "b": torch.tensor([3])})
    assert {name: own.tolist() for name, own in read_alignments(path).items()}["b"] == [3]
    for wrong in (torch.tensor([[1.0]]), torch.tensor([1.0, -0.1])):
        save_tensors(path, {"a": wrong})
        with pytest.raises(DataError, match="a has shape"):
            read_alignments(path)
