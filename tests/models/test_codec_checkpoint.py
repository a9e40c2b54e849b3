"""A codec comes back from disk as it was, and other readers and damaged files are told apart."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from speech.errors import ModelError
from speech.models.checkpoint import KINDS, Storage, kind_of, load_checkpoint
from speech.models.codec import CodecConfig, DecoderHead
from speech.models.codec_checkpoint import CodecCheckpoint, load_codec_checkpoint, save_codec_checkpoint
from speech.models.storage import CODEC
from tests.cli.calling import run
from tests.tiny_codec import tiny_codec


@pytest.fixture
def saved(tmp_path):
    save_codec_checkpoint(tmp_path / "c", CodecCheckpoint(tiny_codec(), {"note": "tiny"}), card="# tiny\n")
    return tmp_path / "c"


@torch.inference_mode()
def decoded(model):
    codes = torch.arange(2 * 12).view(1, 2, 12) % 12
    return model.decode(codes, torch.tensor([12]))[0]


@pytest.mark.parametrize("storage", list(Storage))
def test_it_comes_back_as_it_was(tmp_path, storage):
    codec, more = tiny_codec(), tmp_path / "curve.txt"
    more.write_text("curve")
    save_codec_checkpoint(
        tmp_path / "c",
        CodecCheckpoint(codec, {"note": "tiny"}),
        card="# tiny\n",
        storage=storage,
        attached={"curve.txt": more},
    )
    loaded = load_codec_checkpoint(tmp_path / "c")
    assert loaded.info == {"note": "tiny"}
    assert loaded.model.config == codec.config
    assert not loaded.model.training
    assert {file.name for file in (tmp_path / "c").iterdir()} == {
        "config.json", "model.safetensors", "README.md", "curve.txt",
    }  # fmt: skip
    wanted, found = decoded(codec), decoded(loaded.model)
    tolerance = {Storage.float32: 0.0, Storage.float16: 0.01, Storage.int8: 0.2, Storage.compact: 0.2}[storage]
    assert (found - wanted).abs().mean() <= tolerance * wanted.abs().mean()
    if storage == Storage.float32:
        for name, value in codec.state_dict().items():
            assert torch.equal(value, loaded.model.state_dict()[name])


def test_a_codec_with_a_hifi_gan_head_comes_back(tmp_path):
    codec = tiny_codec(DecoderHead.hifi_gan)
    save_codec_checkpoint(tmp_path / "c", CodecCheckpoint(codec, {}), card="# tiny\n")
    loaded = load_codec_checkpoint(tmp_path / "c").model
    assert loaded.config == codec.config
    assert torch.equal(decoded(loaded), decoded(codec))


def test_a_loaded_codec_can_be_trained_on(saved):
    model = load_codec_checkpoint(saved).model
    model(torch.randn(1, 800), torch.tensor([800])).samples.square().mean().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_its_kind_is_in_the_closed_table(saved):
    assert kind_of(saved) == CODEC
    assert KINDS[CODEC] is CodecConfig


def test_it_is_no_recogniser_and_a_recogniser_is_no_codec(saved, checkpoint):
    with pytest.raises(ModelError, match="It is a codec: use a model that recognises speech"):
        load_checkpoint(saved)
    with pytest.raises(ModelError, match=r"kind 'owsm_ctc'; expected 1, 'codec'\. Use a codec"):
        load_codec_checkpoint(checkpoint)


def test_it_describes_itself(saved):
    said = run("models", saved).stdout
    assert "kind          codec" in said
    assert "8000 Hz" in said
    assert "2 of 12 per frame, 0.72 kbit/s" in said
    assert "adapters" not in said


def test_what_is_wrong_is_named(saved):
    record = json.loads((saved / "config.json").read_text())
    for change, message in (
        ({"quantizer": {"groups": 2, "level": [4, 3]}}, "wrong or missing key"),
        ({"hop": 30}, "n_fft 160, hop 30"),
        ({"depth": 3}, "wrong or missing key"),
        ({"head": "none"}, "wrong or missing key"),
    ):
        (saved / "config.json").write_text(json.dumps(record | {"model": record["model"] | change}))
        with pytest.raises(ModelError, match=message):
            load_codec_checkpoint(saved)
    (saved / "config.json").write_text(json.dumps(record))
    tensors = load_file(saved / "model.safetensors")
    save_file({**tensors, "extra": torch.zeros(1)}, saved / "model.safetensors")
    with pytest.raises(ModelError, match="extra"):
        load_codec_checkpoint(saved)
    (saved / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"has no model\.safetensors"):
        load_codec_checkpoint(saved)
