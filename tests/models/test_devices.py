"""A device that is not there is refused in one line, before anything is loaded."""

import pytest
import torch

from speech.errors import ConfigError
from speech.models.devices import check_device, parse_device
from speech.recognizer import Recognizer

NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("cpu", torch.device("cpu")),
        ("cpu:0", torch.device("cpu")),
        ("cuda", torch.device("cuda")),
        ("cuda:1", torch.device("cuda", 1)),
        (torch.device("cuda", 3), torch.device("cuda", 3)),
        ("mps", torch.device("mps")),
    ],
)
def test_names_of_devices_are_torchs(name, device):
    assert parse_device(name) == device


@pytest.mark.parametrize("name", ["", "gpu", "CUDA", "cuda:", "cuda:-1", "cuda:one", "cpu:1", "cuda:300", "meta", "\n"])
def test_what_is_no_device_is_refused_with_those_that_are(name):
    with pytest.raises(ConfigError, match="there is no device") as caught:
        parse_device(name)
    assert "\n" not in str(caught.value)


def test_a_cpu_is_always_there():
    assert check_device("cpu", allocate=True) == torch.device("cpu")


@NO_GPU
@pytest.mark.parametrize("name", ["cuda", "cuda:1", "xpu", "mps"])
def test_a_device_that_torch_cannot_use_is_refused_in_one_line(name):
    with pytest.raises(ConfigError, match=f"no device {name}: ") as caught:
        check_device(name)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("take cpu.")


def test_a_number_beyond_the_last_device_is_refused_with_those_that_are_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "_is_compiled", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert check_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(ConfigError, match=r"no device cuda:2: this machine has 2. Give one of cuda:0, cuda:1"):
        check_device("cuda:2")


@NO_GPU
def test_a_device_that_is_there_and_cannot_be_used_says_why(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "_is_compiled", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match=r"device cuda cannot be used: .+ Free it, or take cpu") as caught:
        check_device("cuda", allocate=True)
    assert "\n" not in str(caught.value)


@NO_GPU
def test_what_torch_warns_of_is_the_reason(monkeypatch):
    def warn():
        import warnings

        warnings.warn("The NVIDIA driver on your system is too old.\nMore.", stacklevel=1)
        return False

    monkeypatch.setattr(torch.cuda, "_is_compiled", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", warn)
    with pytest.raises(ConfigError, match=r"no device cuda: The NVIDIA driver on your system is too old\. Look"):
        check_device("cuda")


@NO_GPU
def test_a_model_is_not_looked_for_before_its_device():
    with pytest.raises(ConfigError, match="no device cuda"):
        Recognizer.from_pretrained("no/such/model", device="cuda")
