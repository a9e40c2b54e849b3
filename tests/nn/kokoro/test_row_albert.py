"""ALBERT of one row is that of the batch."""

import pytest
import torch

from speech.nn.kokoro.albert import Albert, AlbertConfig
from speech.nn.kokoro.row_albert import AlbertRow


@pytest.fixture(scope="module")
def albert():
    torch.manual_seed(0)
    return Albert(20, AlbertConfig(embedding=8, dim=32, heads=4, hidden=2048, layers=3, positions=40)).eval()


@pytest.mark.parametrize("packed", [False, True])
@torch.no_grad()
def test_it_is_the_same(albert, packed, monkeypatch):
    if not packed:
        monkeypatch.setattr("speech.nn.kokoro.row_albert.packing_runs", lambda: False)
    row = AlbertRow(albert, torch.float32)
    for count in (1, 7, 40):
        symbols = torch.randint(20, (count,))
        found = row(symbols)
        assert found.shape == (count, 32)
        torch.testing.assert_close(found, albert(symbols[None], torch.tensor([count]))[0], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_bfloat16_is_nearly_the_same_and_float32_comes(albert):
    symbols = torch.randint(20, (30,))
    wide, narrow = (AlbertRow(albert, dtype)(symbols) for dtype in (torch.float32, torch.bfloat16))
    assert narrow.dtype == torch.float32
    assert torch.corrcoef(torch.stack([wide.flatten(), narrow.flatten()]))[0, 1] > 0.999
