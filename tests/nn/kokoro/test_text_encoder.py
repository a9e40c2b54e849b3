"""The symbol encoder: one frame per symbol, and rows that do not see each other."""

import torch

from speech.nn.kokoro.text_encoder import SymbolEncoder
from tests.nn.kokoro.rows import LENGTHS, check_rows


@torch.no_grad()
def test_a_row_is_encoded_as_if_it_were_alone():
    torch.manual_seed(0)
    encoder, symbols = SymbolEncoder(12, 8, 2, 5), torch.randint(12, (3, 7))
    lengths = torch.tensor(LENGTHS)
    found = encoder(symbols, lengths)
    assert found.shape == (3, 7, 8)
    check_rows(
        found.transpose(1, 2),
        lambda n: encoder(symbols[n : n + 1, : LENGTHS[n]], lengths[n : n + 1]).transpose(1, 2),
    )
