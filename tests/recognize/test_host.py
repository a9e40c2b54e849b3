"""What is copied from a device by one copy is what lay there."""

import torch

from speech.recognize.host import to_host
from tests.fake_device import DEVICE, FakeDevice


def test_tensors_of_all_kinds_come_by_one_copy_as_they_were():
    tensors = [
        torch.tensor([[True, False, True]]),
        torch.arange(5),
        torch.rand(2, 0, 3),
        torch.rand(3, 2).T,
        torch.tensor(3, dtype=torch.int32),
        torch.rand(3).bfloat16(),
        torch.rand(2, dtype=torch.float64),
    ]
    with FakeDevice() as device:
        away = [tensor.to(DEVICE) for tensor in tensors]
        with device.counted() as copies:
            found = to_host(away)
        assert copies == {"to cpu": 1}
        same = torch.rand(2)
        assert to_host([away[0], same])[1] is same
    for tensor, back in zip(tensors, found, strict=True):
        assert back.device.type == "cpu"
        assert back.dtype == tensor.dtype
        assert torch.equal(back, tensor)


def test_what_is_on_the_host_is_not_copied():
    tensors = [torch.rand(2), torch.rand(3)]
    assert all(back is tensor for back, tensor in zip(to_host(tensors), tensors, strict=True))
    assert to_host([]) == []
