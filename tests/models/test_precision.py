"""A loaded model computes in the numbers that were asked for, or says why it cannot."""

import pytest
import torch
from torch import nn

from speech.errors import ConfigError
from speech.models import precision
from speech.models.precision import Precision, with_precision
from speech.nn.int8 import Int8Linear, int8_copy, int8_runs

needs_kernels = pytest.mark.skipif(not int8_runs(), reason="needs the quantised kernels of x86")


def kinds(model: nn.Module) -> set[type]:
    return {type(module) for module in model.modules()} & {nn.Linear, Int8Linear}


def test_float32_is_the_model_itself(model):
    assert with_precision(model, Precision.float32) is model


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
    assert with_precision(model, Precision.auto) is model
    with pytest.raises(ConfigError, match="float32"):
        with_precision(model, Precision.int8)


def test_another_name_is_refused(model):
    with pytest.raises(ConfigError, match="float16"):
        with_precision(model, "float16")
