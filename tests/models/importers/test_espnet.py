"""Published OWSM-CTC directories are converted; what is not one is refused by name. Parity is in tests/parity."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
import torch
import yaml

from speech.errors import ModelError
from speech.models.checkpoint import build_empty
from speech.models.importers.espnet import find_files, import_espnet, read_config
from tests.published import SETTINGS, write_published


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    return write_published(tmp_path_factory.mktemp("published") / "model")


@pytest.fixture
def copy(original, tmp_path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "copy"))


def change(folder: Path, **settings) -> None:
    path = folder / "exp" / "config.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text("utf-8")) | settings), "utf-8")


def change_tensors(folder: Path, change) -> None:
    path = folder / "exp" / "valid.ave.pth"
    found = torch.load(path)
    change(found)
    torch.save(found, path)


def test_pieces_are_numbered_as_published(original):
    _, tokenizer = import_espnet(original)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(original / "data" / "bpe.model"))
    text = "der hund sat on the street"
    assert tokenizer.encode(text) == [i - 1 for i in processor.encode(text)]
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_newer_key_layout_and_statistics_beside_the_weights(copy):
    def newer(found):
        for kind in ("weight", "bias"):
            found[f"encoder.embed.out.{kind}"] = found.pop(f"encoder.embed.out.0.{kind}")
        found["frontend.logmel.melmat"] = build_empty(config, tokenizer.vocabulary).log_mel.filters
        del found["normalize.mean"], found["normalize.std"]

    model, tokenizer = import_espnet(copy)
    config, older = model.config, model.encoder.subsampling.out.weight.clone()
    change_tensors(copy, newer)
    with pytest.raises(ModelError, match=r"no normalize\.mean"):
        import_espnet(copy)
    (copy / "stats").mkdir()
    sums = {"count": np.array(4), "sum": np.full(80, 8.0), "sum_square": np.full(80, 52.0)}
    np.savez(copy / "stats" / "feats_stats.npz", **sums)
    again, _ = import_espnet(copy)
    assert torch.equal(again.encoder.subsampling.out.weight, older)
    assert again.feature_mean[0] == 2.0
    assert again.feature_std[0] == 3.0


def test_without_meta_the_only_files_are_taken(copy):
    (copy / "meta.yaml").unlink()
    assert find_files(copy).weights.name == "valid.ave.pth"
    (copy / "exp" / "other.pth").write_bytes(b"")
    with pytest.raises(ModelError, match=r"exp/other\.pth"):
        find_files(copy)
    shutil.rmtree(copy / "exp")
    with pytest.raises(ModelError, match=r"config\.yaml is missing"):
        find_files(copy)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"model": "espnet"}, "model is 'espnet'"),
        ({"encoder": "conformer"}, "encoder is 'conformer'"),
        ({"frontend_conf": {**SETTINGS["frontend_conf"], "hop_length": 128}}, "hop_length is 128"),
        ({"frontend_conf": {**SETTINGS["frontend_conf"], "fs": "8k"}}, "fs is '8k'"),
        ({"encoder_conf": {**SETTINGS["encoder_conf"], "pos_enc_layer_type": "rel_pos"}}, "pos_enc_layer_type"),
        ({"encoder_conf": {**SETTINGS["encoder_conf"], "cgmlp_linear_units": 48}}, "cgmlp_linear_units is 48"),
        ({"encoder_conf": {**SETTINGS["encoder_conf"], "use_cross_attention": [1, 0, 0, 1]}}, "every k-th"),
        ({"model_conf": {"ctc_asr_only": [False, True, False]}}, "ctc_asr_only"),
        ({"token_list": None}, "no token_list"),
        ({"token_list": ["<blank>", "<unk>", "<na>"]}, "has 3 tokens"),
    ],
)
def test_another_architecture_is_refused_by_its_setting(copy, settings, named):
    change(copy, **settings)
    with pytest.raises(ModelError, match=named):
        import_espnet(copy)


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (lambda found: found.update({"decoder.embed.weight": torch.zeros(1)}), "decoder.embed.weight"),
        (
            lambda found: found.update({"encoder.encoders.9.norm_ff.bias": torch.zeros(16)}),
            "layers.9.feed_forward_norm",
        ),
        (lambda found: found.pop("ctc.ctc_lo.bias"), "missing: ctc.linear.bias"),
        (lambda found: found.update({"ctc.ctc_lo.bias": torch.zeros(3)}), r"ctc.linear.bias \(3,\), expected"),
        (lambda found: found.update({"frontend.logmel.melmat": torch.zeros(257, 80)}), "melmat"),
        (lambda found: found.update({"embed.weight": "text"}), "something else than tensors"),
    ],
)
def test_tensors_that_do_not_fit_are_named(copy, edit, named):
    change_tensors(copy, edit)
    with pytest.raises(ModelError, match=named):
        import_espnet(copy)


def test_damaged_files_are_named(copy):
    (copy / "exp" / "valid.ave.pth").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(ModelError, match=r"valid\.ave\.pth: is no file of weights"):
        import_espnet(copy)
    (copy / "exp" / "config.yaml").write_text("a: [1, ")
    with pytest.raises(ModelError, match=r"config\.yaml: is not YAML"):
        import_espnet(copy)


def test_defaults_of_the_toolkit_are_not_mistaken_for_ours():
    with pytest.raises(ModelError, match="attention_layer_type is 'rel_selfattn'"):
        read_config({**SETTINGS, "encoder_conf": {}}, "config.yaml")
