"""A Fish-Speech comes back from disk as it was, with its codec, and other kinds are told apart."""

import json

import pytest
import torch

from speech.choices import Storage
from speech.errors import ModelError
from speech.models.checkpoint import KINDS, kind_of, load_checkpoint
from speech.models.dual_ar import DualArConfig
from speech.models.fish_checkpoint import load_fish_checkpoint, save_fish_checkpoint
from speech.models.importers.fish import import_fish
from speech.models.storage import FISH
from speech.text.fish_text import FishVersion
from tests.published_fish import CODEC
from tests.published_fish_lm import write_fish


def saved(folder, version=FishVersion.one_five, storage=Storage.float32):
    checkpoint = import_fish(write_fish(folder / "published", version), CODEC)
    checkpoint.info["licence"] = "none"
    save_fish_checkpoint(folder / "ours", checkpoint, card="# tiny\n", storage=storage)
    return checkpoint


@pytest.mark.parametrize("version", list(FishVersion))
def test_it_comes_back_as_it_was(tmp_path, version):
    checkpoint = saved(tmp_path, version)
    found = load_fish_checkpoint(tmp_path / "ours")
    assert found.info == {"licence": "none"}
    assert found.model.config == checkpoint.model.config
    assert not found.model.training
    assert found.tokenizer.version == version
    assert found.tokenizer.layout == checkpoint.tokenizer.layout
    assert found.tokenizer.asked("hello, é") == checkpoint.tokenizer.asked("hello, é")
    for ours, theirs in ((found.model, checkpoint.model), (found.codec, checkpoint.codec)):
        for name, tensor in theirs.state_dict().items():
            assert torch.equal(tensor, ours.state_dict()[name])
    assert kind_of(tmp_path / "ours") == FISH
    assert KINDS[FISH] is DualArConfig


def test_the_codec_keeps_16_bits(tmp_path):
    checkpoint = saved(tmp_path, storage=Storage.int8)
    found = load_fish_checkpoint(tmp_path / "ours")
    weight, stored = checkpoint.codec.head.first.conv.weight, found.codec.head.first.conv.weight
    assert torch.equal(stored, weight.half().float())
    output, kept = checkpoint.model.output.weight, found.model.output.weight
    assert 0 < (output - kept).abs().max() < 0.05


def test_other_kinds_and_damaged_folders_are_told_apart(tmp_path, checkpoint):
    saved(tmp_path)
    folder = tmp_path / "ours"
    with pytest.raises(ModelError, match="It speaks: use a model that recognises speech"):
        load_checkpoint(folder)
    with pytest.raises(ModelError, match="Use an imported Fish-Speech"):
        load_fish_checkpoint(checkpoint)
    record = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(record | {"version": "1.6"}))
    with pytest.raises(ModelError, match=r"wrong or missing key: '1.6'"):
        load_fish_checkpoint(folder)
    (folder / "config.json").write_text(json.dumps(record))
    (folder / "tokenizer.tiktoken").unlink()
    with pytest.raises(ModelError, match=r"has no tokenizer\.tiktoken"):
        load_fish_checkpoint(folder)
