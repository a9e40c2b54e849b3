"""The fake device refuses what CUDA refuses, and nothing else."""

import pytest
import torch
from torch import nn

from tests.fake_device import DEVICE, FakeDevice


@pytest.fixture(autouse=True)
def device():
    with FakeDevice() as device:
        yield device


def here(*sizes: int) -> torch.Tensor:
    return torch.rand(*sizes)


def there(*sizes: int) -> torch.Tensor:
    return here(*sizes).to(DEVICE)


@pytest.mark.parametrize(
    "mixed",
    [
        lambda: here(3) + there(3),
        lambda: here(3) + there(2, 3).sum(),
        lambda: torch.cat([here(1), there(1)]),
        lambda: nn.Linear(3, 4)(there(2, 3)),
        lambda: nn.functional.embedding(torch.tensor([1]), there(4, 2)),
        lambda: there(3).index_fill(0, torch.tensor([0]), 1.0),
        lambda: there(3).index_select(0, torch.tensor([0])),
        lambda: here(3)[torch.tensor([1], device=DEVICE)],
        lambda: torch.where(there(3) > 0, here(3), there(3)),
        lambda: torch.stft(here(1, 600), 512, window=there(512), return_complex=True, center=False),
    ],
)
def test_tensors_of_two_devices_do_not_mix(mixed):
    with pytest.raises(RuntimeError, match="same device"), torch.inference_mode():
        mixed()
    with pytest.raises(RuntimeError, match="same device"):
        mixed()


def test_numbers_without_dimensions_and_indices_may_be_on_the_cpu():
    x = there(4)
    assert (x * torch.tensor(2.0)).tolist() == (x + x).tolist()
    assert x[torch.tensor([2])].tolist() == x.tolist()[2:3]
    x[1:2] = torch.tensor([5.0])
    assert x.tolist()[1] == 5.0


def test_what_only_cpus_have_raises():
    with pytest.raises(TypeError, match="numpy"):
        there(2).numpy()
    with pytest.raises(NotImplementedError, match="no kernel"):
        torch.ops.mkldnn._linear_pointwise(there(2, 3), here(4, 3), None, "none", [], "")
    with FakeDevice(float64=False), pytest.raises(TypeError, match="float64"):
        there(2).double()


def test_what_is_made_there_has_its_numbers():
    assert torch.tensor([1, 2], device=DEVICE).tolist() == [1, 2]
    assert torch.arange(3, device=DEVICE).device == torch.zeros(2, device=DEVICE).device == DEVICE
    layer = nn.Linear(3, 4)
    x = here(2, 3)
    assert layer.to(DEVICE)(x.to(DEVICE)).cpu().tolist() == layer.to("cpu")(x).tolist()


def test_copies_are_counted(device):
    x = there(3)
    with device.counted() as copies:
        x.tolist()
        float(x[0])
        x[x > 0.5]
    assert copies == {"to cpu": 3}
    with device.counted() as copies:
        _ = x * 2
        x.to(DEVICE)
        here(2).to(DEVICE)
    assert copies == {"to device": 1}


def test_gradients_flow_there():
    layer = nn.Linear(3, 1).to(DEVICE)
    layer(there(5, 3)).sum().backward()
    assert layer.bias.grad.tolist() == [5.0]
    assert layer.weight.grad.device == DEVICE
