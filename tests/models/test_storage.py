"""Weights come back in the numbers that were asked for."""

import pytest
import torch
from torch import nn

from speech.choices import Storage
from speech.errors import ModelError
from speech.models.storage import load_weights, read_record, save_weights, without_memory, write_record
from speech.nn.tied_embedding import TiedEmbedding


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tied = TiedEmbedding(7, 4)
        self.linear = nn.Linear(4, 3)
        self.norm = nn.LayerNorm(4)


FILES = {"one.safetensors": "tied.", "two.safetensors": "linear.", "three.safetensors": "norm."}


@pytest.mark.parametrize("storage", list(Storage))
@pytest.mark.parametrize("as_stored", [True, False])
def test_weights_of_several_files_come_back_near(tmp_path, storage, as_stored):
    model = Small()
    save_weights(tmp_path, FILES, model, storage, tmp_path)
    with without_memory():
        found = Small()
    load_weights(found, tmp_path, FILES, as_stored=as_stored)
    assert not found.training
    kinds = {
        Storage.float32: torch.float32,
        Storage.float16: torch.float16,
        Storage.int8: torch.qint8,
        Storage.compact: torch.float16,  # small ones: see test_compact.py
    }
    expected = kinds[storage] if as_stored else torch.float32
    assert found.tied.weight.dtype == found.linear.weight.dtype == expected
    assert found.norm.weight.dtype == found.linear.bias.dtype == torch.float32
    weight = found.tied.weight.detach()
    weight = weight.dequantize() if weight.is_quantized else weight.float()
    torch.testing.assert_close(weight, model.tied.weight.detach(), atol=1e-3, rtol=1e-3)
    assert found.linear.bias.requires_grad is not as_stored


def test_a_tensor_in_the_wrong_file_is_named_with_that_file(tmp_path):
    save_weights(tmp_path, {"one.safetensors": ""}, Small(), Storage.float32, tmp_path)
    with without_memory():
        found = Small()
    with pytest.raises(ModelError, match=r"linear\.bias.*|one\.safetensors"):
        load_weights(found, tmp_path, FILES, as_stored=False)


def test_a_record_says_what_is_wrong_with_it(tmp_path):
    with pytest.raises(ModelError, match=r"config\.json"):
        read_record(tmp_path, ["a"], (), ())
    write_record(tmp_path, "a", {"x": 1}, "# card\n")
    assert read_record(tmp_path, ["a", "b"], ("README.md",), ("x",))["x"] == 1
    with pytest.raises(ModelError, match="expected 1, 'b' or 'c'"):
        read_record(tmp_path, ["b", "c"], (), ())
    with pytest.raises(ModelError, match="has no weights"):
        read_record(tmp_path, ["a"], ("weights",), ())
    with pytest.raises(ModelError, match="has no y, z"):
        read_record(tmp_path, ["a"], (), ("x", "y", "z"))
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(ModelError, match="list"):
        read_record(tmp_path, ["a"], (), ())
