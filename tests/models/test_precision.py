"""A loaded model computes in the numbers that were asked for, or says why it cannot."""

import pytest
import torch
from torch import nn

from speech.errors import ConfigError
from speech.models import precision
from speech.models.checkpoint import Storage, load_checkpoint, save_checkpoint
from speech.models.precision import Precision, with_precision
from speech.nn.cpu.int8 import Int8Linear, int8_copy, int8_runs
from speech.nn.cpu.packed import packing_runs

needs_kernels = pytest.mark.skipif(not int8_runs(), reason="needs the quantised kernels of x86")


def kinds(model: nn.Module) -> set[type]:
    return {type(module) for module in model.modules()} & {nn.Linear, Int8Linear}


@torch.inference_mode()
@pytest.mark.parametrize("name", ["model", "published"])
def test_float32_and_bfloat16_are_near_the_model(request, name):
    model = request.getfixturevalue(name)
    given = torch.randn(1, 90, 80), torch.tensor([90]), torch.tensor([[1, 2]])
    exact = model(*given).log_probs
    packed, half = with_precision(model, Precision.float32), with_precision(model, Precision.bfloat16)
    torch.testing.assert_close(packed(*given).log_probs, exact, atol=1e-4, rtol=1e-4)
    assert {p.dtype for p in half.parameters()} == {torch.bfloat16}
    assert half.log_mel.filters.dtype == torch.float32
    found = half(*given)
    assert found.log_probs.dtype == torch.float32
    torch.testing.assert_close(found.log_probs, exact, atol=0.2, rtol=0.05)


@torch.inference_mode()
@pytest.mark.parametrize("asked", [Precision.float32, Precision.bfloat16, Precision.auto])
def test_only_the_most_probable_tokens_are_fed_back(published, asked):
    given = torch.randn(1, 90, 80), torch.tensor([90]), torch.tensor([[1, 2]])
    all_of_them = len(published.vocabulary)
    exact = with_precision(published, asked)(*given).log_probs
    every = with_precision(published, asked, conditioning_top=all_of_them)(*given).log_probs
    torch.testing.assert_close(every, exact, atol=1e-4 if asked == Precision.float32 else 0.3, rtol=0.05)
    few = with_precision(published, asked, conditioning_top=2)(*given).log_probs
    assert not torch.allclose(few, exact, atol=1e-4)
    with pytest.raises(ConfigError, match="conditioning_top 0"):
        with_precision(published, asked, conditioning_top=0)


@needs_kernels
@pytest.mark.parametrize("asked", [Precision.auto, Precision.int8])
def test_linear_layers_are_in_eight_bits(model, asked):
    assert kinds(with_precision(model, asked)) == {Int8Linear}
    assert kinds(model) == {nn.Linear}


@needs_kernels
@torch.inference_mode()
def test_what_is_in_eight_bits_already_stays_as_it_is(model):
    once = with_precision(model, Precision.int8)
    twice = int8_copy(once)
    given = torch.randn(1, 60, 80), torch.tensor([60]), torch.tensor([[1, 2]])
    assert torch.equal(once(*given).log_probs, twice(*given).log_probs)


def test_a_machine_without_the_kernels_computes_in_float32_or_says_so(model, monkeypatch):
    monkeypatch.setattr(precision, "int8_runs", lambda: False)
    assert kinds(with_precision(model, Precision.auto)) == set() if packing_runs() else {nn.Linear}
    monkeypatch.setattr(precision, "packing_runs", lambda: False)
    assert with_precision(model, Precision.auto) is model
    with pytest.raises(ConfigError, match="float32"):
        with_precision(model, Precision.int8)


def test_another_name_is_refused(model):
    with pytest.raises(ConfigError, match="float16"):
        with_precision(model, "float16")


@torch.inference_mode()
@pytest.mark.parametrize("storage", list(Storage))
@pytest.mark.parametrize("asked", [Precision.float32, Precision.bfloat16, pytest.param("int8", marks=needs_kernels)])
def test_from_the_numbers_on_disk_it_becomes_what_it_becomes_from_float32(
    published, tokenizer, tmp_path, storage, asked
):
    save_checkpoint(tmp_path / "model", published, tokenizer, info={}, card="", storage=storage)
    stored = load_checkpoint(tmp_path / "model", as_stored=True).model
    loaded = load_checkpoint(tmp_path / "model").model
    given = torch.randn(1, 90, 80), torch.tensor([90]), torch.tensor([[1, 2]])
    for top in (None, 3):
        found, expected = (with_precision(m, asked, conditioning_top=top)(*given).log_probs for m in (stored, loaded))
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    kept = {p.dtype for name, p in stored.named_parameters() if name.endswith("up.weight")}
    assert kept == {
        {"float32": torch.float32, "float16": torch.float16, "int8": torch.qint8, "compact": torch.float16}[storage]
    }


@pytest.mark.parametrize(
    ("capability", "chosen"), [((8, 0), torch.bfloat16), ((9, 0), torch.bfloat16), ((7, 5), torch.float32)]
)
def test_a_gpu_computes_in_bfloat16_if_it_has_it(model, monkeypatch, capability, chosen):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(precision, "_place", lambda model: torch.device("cuda"))
    found = with_precision(model, Precision.auto)
    assert {p.dtype for p in found.parameters()} == {chosen}
    assert kinds(found) == {nn.Linear}


def test_other_devices_compute_in_float32_and_refuse_eight_bits(model, monkeypatch):
    monkeypatch.setattr(precision, "_place", lambda model: torch.device("mps"))
    found = with_precision(model, Precision.auto)
    assert {p.dtype for p in found.parameters()} == {torch.float32}
    assert kinds(found) == {nn.Linear}
    with pytest.raises(ConfigError, match="no eight-bit kernels for device mps"):
        with_precision(model, Precision.int8)
