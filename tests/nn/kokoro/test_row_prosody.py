"""A curve of one row is that of the batch."""

import torch

from speech.nn.kokoro.prosody import ProsodyCurve
from speech.nn.kokoro.row_prosody import CurveRow


@torch.no_grad()
def test_it_is_the_same():
    torch.manual_seed(0)
    curve, x, style = ProsodyCurve(8, 4), torch.randn(11, 8), torch.randn(4)
    found = CurveRow(curve, torch.float32)(x, style)
    assert found.shape == (22,)
    torch.testing.assert_close(found, curve(x.t()[None], style[None], torch.tensor([11]))[0], atol=1e-5, rtol=1e-5)
    narrow = CurveRow(curve, torch.bfloat16)(x, style)
    assert torch.corrcoef(torch.stack([narrow, found]))[0, 1] > 0.99
