"""Parts of marked speech are replaced, and the masks say which."""

import pytest
import torch

from speech.train.watermark.attacks import Draw
from speech.train.watermark.config import PlacementConfig
from speech.train.watermark.placement import place

HOP, FRAMES = 10, 100


def placed(seed: int = 0, batch: int = 40, **settings: float):
    none = {"unmarked": 0.0, "original": 0.0, "other": 0.0, "silence": 0.0}
    clean = 1 + torch.arange(batch)[:, None].expand(batch, HOP * FRAMES - 3).float()
    draw = Draw(torch.Generator().manual_seed(seed))
    return clean, place(-clean, clean, HOP, PlacementConfig(**none | settings), draw)


def expanded(marked: torch.Tensor) -> torch.Tensor:
    return marked.repeat_interleave(HOP, dim=1)[:, : HOP * FRAMES - 3]


def test_without_replacement_all_is_marked():
    clean, found = placed()
    assert found.marked.shape == (40, FRAMES)
    assert found.marked.all()
    assert torch.equal(found.samples, -clean)


@pytest.mark.parametrize("kind", ["original", "other", "silence"])
def test_what_is_not_marked_is_what_was_asked_for(kind):
    clean, found = placed(**{kind: 1.0})
    mask = expanded(found.marked)
    replacement = {"original": clean, "other": clean.roll(-1, 0), "silence": torch.zeros_like(clean)}[kind]
    assert torch.equal(found.samples, torch.where(mask, -clean, replacement))
    shares = found.marked.float().mean(1)
    assert ((shares < 1) & (shares >= 0)).all()
    assert 0.3 < shares.mean() < 0.7


def test_a_share_of_rows_has_no_mark():
    _, found = placed(batch=400, unmarked=0.25)
    assert 0.18 < (~found.marked.any(1)).float().mean() < 0.32


def test_the_same_draw_places_the_same():
    first, second = placed(seed=3, original=0.5)[1], placed(seed=3, original=0.5)[1]
    assert torch.equal(first.marked, second.marked)
    assert not torch.equal(first.marked, placed(seed=4, original=0.5)[1].marked)
