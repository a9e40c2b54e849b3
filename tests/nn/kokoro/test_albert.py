"""ALBERT: one layer many times, and rows that do not see each other."""

import pytest
import torch

from speech.errors import ConfigError
from speech.nn.kokoro.albert import Albert, AlbertConfig
from tests.nn.kokoro.rows import LENGTHS, check_rows

CONFIG = AlbertConfig(embedding=6, dim=8, heads=2, hidden=10, layers=3, positions=9)


@torch.no_grad()
def test_what_a_row_says_does_not_turn_on_the_others():
    torch.manual_seed(0)
    model, symbols = Albert(12, CONFIG), torch.randint(12, (3, 7))
    lengths = torch.tensor(LENGTHS)
    found = model(symbols, lengths).transpose(1, 2)
    inside = found * (torch.arange(7) < lengths[:, None, None])
    check_rows(inside, lambda n: model(symbols[n : n + 1, : LENGTHS[n]], lengths[n : n + 1]).transpose(1, 2))


@torch.no_grad()
def test_the_layer_is_applied_as_often_as_configured():
    torch.manual_seed(0)
    model, symbols = Albert(12, CONFIG), torch.randint(12, (1, 4))
    calls = []
    model.layer.register_forward_hook(lambda *_: calls.append(1))
    model(symbols, torch.tensor([4]))
    assert len(calls) == 3


@torch.no_grad()
def test_places_matter():
    torch.manual_seed(0)
    model = Albert(12, CONFIG)
    same = model(torch.full((1, 4), 5), torch.tensor([4]))[0]
    assert (same[0] - same[1]).abs().max() > 1e-3


def test_heads_have_to_divide_the_channels():
    with pytest.raises(ConfigError, match="a multiple of the heads"):
        AlbertConfig(dim=10, heads=4)
