"""The stream of frames checks its shapes."""

import pytest
import torch

from speech.decode.ctc.frames import CtcFrames


def test_one_utterance_comes_without_padding():
    frames = CtcFrames(torch.zeros(2, 5, 3), torch.tensor([4, 2]), 0.04)
    assert frames.select(1).shape == (2, 3)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5, 3)])
def test_shapes_that_do_not_fit_are_refused(shape):
    with pytest.raises(ValueError, match="expected"):
        CtcFrames(torch.zeros(shape), torch.tensor([4, 2]), 0.04)
