"""A checkpoint comes back as it was, and says what is wrong with it."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from speech.errors import ModelError
from speech.models.checkpoint import Storage, config_from_dict, config_to_dict, load_checkpoint, save_checkpoint
from speech.models.owsm_ctc import OwsmCtcConfig


@pytest.mark.parametrize("name", ["model", "published"])
@pytest.mark.parametrize("storage", list(Storage))
@torch.no_grad()
def test_round_trip_keeps_the_output(request, tmp_path, tokenizer, name, storage):
    model = request.getfixturevalue(name)
    save_checkpoint(tmp_path / "m", model, tokenizer, info={"a": 1}, card="# card\n", storage=storage)
    loaded = load_checkpoint(tmp_path / "m")
    assert loaded.info == {"a": 1}
    assert loaded.model.config == model.config
    assert loaded.tokenizer.vocabulary == tokenizer.vocabulary
    prefix = torch.tensor([[3, model.vocabulary.task_id("asr")]])
    inputs = torch.randn(1, 80, 80), torch.tensor([80]), prefix
    tolerance = {Storage.float32: 1e-5, Storage.float16: 0.02, Storage.int8: 0.3, Storage.compact: 0.3}[storage]
    difference = (loaded.model(*inputs).log_probs - model(*inputs).log_probs).abs().max()
    assert difference <= tolerance


def test_int8_takes_a_quarter_of_the_space(tmp_path, model, tokenizer):
    sizes = {}
    for storage in Storage:
        save_checkpoint(tmp_path / storage, model, tokenizer, info={}, card="", storage=storage)
        sizes[storage] = (tmp_path / storage / "model.safetensors").stat().st_size
    assert sizes[Storage.int8] < 0.45 * sizes[Storage.float32]
    assert sizes[Storage.compact] < sizes[Storage.float16]


def test_saving_replaces_and_leaves_nothing_else(tmp_path, model, tokenizer):
    for note in (1, 2):
        save_checkpoint(tmp_path / "m", model, tokenizer, info={"note": note}, card="")
    assert load_checkpoint(tmp_path / "m").info == {"note": 2}
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize("missing", ["model.safetensors", "config.json", "tokenizer.model"])
def test_a_missing_file_is_named(tmp_path, checkpoint, missing):
    shutil.copytree(checkpoint, tmp_path / "m")
    (tmp_path / "m" / missing).unlink()
    with pytest.raises(ModelError, match=missing):
        load_checkpoint(tmp_path / "m")


def test_damage_is_named(tmp_path, checkpoint):
    shutil.copytree(checkpoint, tmp_path / "m")
    path = tmp_path / "m" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelError, match="damaged"):
        load_checkpoint(tmp_path / "m")


def test_wrong_tensors_are_named(tmp_path, checkpoint):
    shutil.copytree(checkpoint, tmp_path / "m")
    path = tmp_path / "m" / "model.safetensors"
    tensors = load_file(path)
    tensors["surprise"] = tensors.pop("ctc.linear.bias").clone()
    save_file(tensors, path)
    with pytest.raises(ModelError, match="surprise"):
        load_checkpoint(tmp_path / "m")


@pytest.mark.parametrize("change", [{"format": 99}, {"kind": "other"}])
def test_another_format_is_refused(tmp_path, checkpoint, change):
    shutil.copytree(checkpoint, tmp_path / "m")
    path = tmp_path / "m" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelError, match="expected 1"):
        load_checkpoint(tmp_path / "m")


def test_unknown_configuration_keys_are_refused(model):
    record = config_to_dict(model.config)
    assert config_from_dict(OwsmCtcConfig, record, "here") == model.config
    record["encoder"]["_target_"] = "os.system"
    with pytest.raises(ModelError, match="_target_"):
        config_from_dict(OwsmCtcConfig, record, "here")
