"""Parts of exported graphs say what the layers say that they stand for."""

import pytest
import torch

from speech.models.export.ctc_graphs import ConvolvedLogMel, PortablePositions

pytest.importorskip("onnx")


def test_log_mel_as_a_convolution(model, published, speech):
    for log_mel in (model.log_mel, published.log_mel):
        for length in (16000, 23456):
            samples = torch.from_numpy(speech[None, :length])
            expected, _ = log_mel(samples, torch.tensor([length]))
            torch.testing.assert_close(ConvolvedLogMel(log_mel)(samples), expected, atol=2e-3, rtol=0)


def test_portable_positions_never_run_out(published):
    positions = published.encoder.positions
    index = torch.tensor([0, 1, 17, 4500, 10_000_019])
    torch.testing.assert_close(PortablePositions(positions)(index), positions(index), atol=1e-5, rtol=0)
