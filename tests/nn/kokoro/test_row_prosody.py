"""Durations and curves of one row are those of the batch."""

import torch

from speech.nn.kokoro.prosody import ProsodyCurve, ProsodyPredictor
from speech.nn.kokoro.row_prosody import CurveRow, DurationRow


@torch.no_grad()
def test_a_curve_is_the_same():
    torch.manual_seed(0)
    curve, x, style = ProsodyCurve(8, 4), torch.randn(11, 8), torch.randn(4)
    found = CurveRow(curve, torch.float32)(x, style)
    assert found.shape == (22,)
    torch.testing.assert_close(found, curve(x.t()[None], style[None], torch.tensor([11]))[0], atol=1e-5, rtol=1e-5)
    narrow = CurveRow(curve, torch.bfloat16)(x, style)
    assert torch.corrcoef(torch.stack([narrow, found]))[0, 1] > 0.99


@torch.no_grad()
def test_durations_are_the_same():
    torch.manual_seed(0)
    prosody, x, style = ProsodyPredictor(8, 4, 3, 50), torch.randn(11, 8), torch.randn(4)
    for dtype in (torch.float32, torch.bfloat16):
        for speed in (0.5, 2.0):
            encoded, frames = DurationRow(prosody, dtype)(x, style, speed)
            wanted = prosody.durations(x[None], style[None], torch.tensor([speed]), torch.tensor([11]))
            exact = dtype == torch.float32
            torch.testing.assert_close(encoded, wanted.encoded[0], atol=1e-5 if exact else 0.1, rtol=1e-5)
            assert (frames - wanted.frames[0]).abs().max() <= (0 if exact else 1)
