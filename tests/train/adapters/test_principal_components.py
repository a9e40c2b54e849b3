"""The directions that bottlenecks begin with are those in which their input varies most."""

import torch
import torch.nn.functional as F

from speech.nn.adapters import Adapter
from speech.train.adapters.principal_components import Moments, look, point

DIM = 24


def frames(seed: int, count: int = 400) -> torch.Tensor:
    """(2, count, DIM): most of what happens happens in three directions, around a mean."""
    generator = torch.Generator().manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(DIM, DIM, generator=torch.Generator().manual_seed(9)))[0]
    strength = torch.tensor([8.0, 5.0, 3.0] + [0.3] * (DIM - 3))
    return torch.randn(2, count, DIM, generator=generator) * strength @ basis.T + basis[:, 5] * 4


def feed(moments: Moments, batches: int):
    for seed in range(batches):
        x = frames(seed)
        yield moments.tap(torch.tensor([400, 250]), 400)(2, x)


def test_they_are_those_of_the_real_frames_around_their_mean():
    moments = Moments([2], DIM)
    read = look(moments, feed(moments, 6), 3)
    assert 2 <= read < 6  # it stops when they stand still
    heard = torch.cat(
        [F.layer_norm(x, [DIM]) for seed in range(read) for x in (frames(seed)[0], frames(seed)[1, :250])]
    )
    assert moments.count[2] == len(heard)
    torch.testing.assert_close(moments.mean(2).float(), heard.mean(dim=0), atol=1e-5, rtol=0)
    wanted = torch.linalg.svd(heard - heard.mean(dim=0), full_matrices=False)[2][:3]
    found = moments.directions(2, 3).float()
    torch.testing.assert_close((found @ wanted.T).abs(), torch.eye(3), atol=1e-3, rtol=0)


def test_a_unit_is_above_zero_on_one_side_of_the_mean():
    moments = Moments([2], DIM)
    look(moments, feed(moments, 3), 3)
    adapter = Adapter([2], DIM, 3)
    point(adapter, moments)
    heard = F.layer_norm(frames(50), [DIM]).flatten(0, 1)
    active = (heard @ adapter.down[0].T + adapter.down_bias[0] > 0).float().mean(dim=0)
    assert ((active > 0.35) & (active < 0.65)).all()
    assert adapter.up.abs().sum() == 0  # still the base


def test_the_same_frames_give_the_same_signs():
    found = []
    for factor in (1.0, 1.0):
        moments = Moments([2], DIM)
        moments.tap(torch.tensor([400, 400]), 400)(2, frames(3) * factor)
        found.append(moments.directions(2, 5))
    assert torch.equal(*found)


def test_frames_of_a_layer_behind_a_reduction_are_half_as_many():
    moments = Moments([1, 2], DIM)
    tap = moments.tap(torch.tensor([5, 3]), 5)
    prefix = torch.zeros(2, 2, DIM)
    tap(1, torch.cat([prefix, frames(0, 5)], dim=1))
    tap(2, torch.cat([prefix[:, :1], frames(0, 3)], dim=1))
    assert moments.count == {1: 8, 2: 5}
