"""Firefly comes back from disk as it was, and other kinds are told apart."""

import json

import pytest
import torch

from speech.choices import Storage
from speech.errors import ModelError
from speech.models.checkpoint import KINDS, kind_of, load_checkpoint
from speech.models.fish_codec import FishCodecConfig
from speech.models.fish_codec_checkpoint import load_fish_codec, save_fish_codec
from speech.models.importers.fish_codec import build_fish_codec
from speech.models.storage import FIREFLY
from tests.published_fish import CODEC, codec_tensors


@pytest.fixture
def saved(tmp_path):
    codec = build_fish_codec(codec_tensors(), CODEC, "x")
    save_fish_codec(tmp_path / "c", codec, {"licence": "none"}, "# tiny\n", Storage.float32)
    return tmp_path / "c", codec


def test_it_comes_back_as_it_was(saved):
    folder, codec = saved
    found = load_fish_codec(folder)
    assert found.config == codec.config
    assert not found.training
    for name, tensor in codec.state_dict().items():
        assert torch.equal(tensor, found.state_dict()[name])
    codes, lengths = torch.arange(30).view(1, 3, 10), torch.tensor([10])
    assert torch.equal(found.decode(codes, lengths)[0], codec.decode(codes, lengths)[0])
    assert json.loads((folder / "config.json").read_text())["info"] == {"licence": "none"}
    assert kind_of(folder) == FIREFLY
    assert KINDS[FIREFLY] is FishCodecConfig


def test_other_kinds_and_damaged_records_are_told_apart(saved, checkpoint):
    folder, _ = saved
    with pytest.raises(ModelError, match="It is a codec: use a model that recognises speech"):
        load_checkpoint(folder)
    with pytest.raises(ModelError, match="Use the codec of an imported Fish-Speech"):
        load_fish_codec(checkpoint)
    record = json.loads((folder / "config.json").read_text())
    record["model"]["hop"] = 17
    (folder / "config.json").write_text(json.dumps(record))
    with pytest.raises(ModelError, match=r"has a wrong or missing key: .*hop 17"):
        load_fish_codec(folder)
