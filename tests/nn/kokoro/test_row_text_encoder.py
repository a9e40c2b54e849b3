"""Frames of the symbols of one row are those of the batch."""

import torch

from speech.nn.kokoro.row_text_encoder import SymbolRow
from speech.nn.kokoro.text_encoder import SymbolEncoder


@torch.no_grad()
def test_it_is_the_same():
    torch.manual_seed(0)
    encoder, symbols = SymbolEncoder(20, 16, 3, 5), torch.randint(20, (13,))
    found = SymbolRow(encoder, torch.float32)(symbols)
    assert found.shape == (13, 16)
    torch.testing.assert_close(found, encoder(symbols[None], torch.tensor([13]))[0], atol=1e-5, rtol=1e-5)
    narrow = SymbolRow(encoder, torch.bfloat16)(symbols)
    assert torch.corrcoef(torch.stack([found.flatten(), narrow.flatten()]))[0, 1] > 0.999
