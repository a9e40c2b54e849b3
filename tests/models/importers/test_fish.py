"""Published Fish-Speech folders become ours, and what is wrong with one is named."""

import json
import shutil

import pytest
import torch

from speech.errors import ModelError
from speech.models.fish import FishSpeech
from speech.models.importers.fish import import_fish, is_fish, published_names, read_settings
from speech.models.storage import without_memory
from speech.text.fish_text import FishVersion
from speech.text.speech_vocabulary import TokenLayout
from tests.published_fish import CODEC
from tests.published_fish_lm import CODEBOOKS, SETTINGS, SETTINGS_14, write_fish

NEW, OLD = FishVersion.one_five, FishVersion.one_four


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return {version: write_fish(tmp_path_factory.mktemp("fish") / "model", version) for version in FishVersion}


@pytest.fixture
def changed(published, tmp_path):
    """A copy to be damaged."""
    return shutil.copytree(published[NEW], tmp_path / "copy")


@pytest.mark.parametrize("version", list(FishVersion))
def test_folders_of_both_versions_are_read(published, version):
    assert is_fish(published[version])
    found = import_fish(published[version], CODEC)
    config = found.model.config
    assert found.tokenizer.version == version
    assert not found.model.training
    assert (config.codebooks, config.codebook_size, config.positions) == (CODEBOOKS, 1024, 400)
    assert config.first_in_tokens is (version == NEW)
    assert (config.slow.hidden, config.slow.rope_base, config.slow.eps) == (256, 1e6, 1e-6)
    assert (config.fast.dim, config.fast.heads, config.fast.kv_heads) == ((8, 2, 1) if version == NEW else (16, 4, 1))
    assert config.fast.qkv_bias
    assert not config.slow.qkv_bias
    theirs = torch.load(published[version] / "model.pth", weights_only=True)
    assert torch.equal(found.model.embed.codes.weight, theirs["codebook_embeddings.weight"])
    assert sum(tensor.numel() for tensor in theirs.values()) == found.model.parameter_count
    assert found.codec.config == CODEC


def rewritten(folder, change):
    tensors = torch.load(folder / "model.pth", weights_only=True)
    torch.save(change(tensors) or tensors, folder / "model.pth")
    return folder


def apart(tensors):
    """Queries, keys and values of the first layer as three matrices."""
    whole = tensors.pop("layers.0.attention.wqkv.weight")
    for name, part in zip(("wq", "wk", "wv"), whole.split([16, 8, 8]), strict=True):
        tensors[f"layers.0.attention.{name}.weight"] = part.clone()


@pytest.mark.parametrize(
    "change",
    [
        lambda t: {"state_dict": {f"model.{name}": tensor for name, tensor in t.items()}},
        apart,
        lambda t: {name: tensor.double() for name, tensor in t.items()},
    ],
)
def test_other_forms_of_the_same_tensors_are_read(published, changed, change):
    plain = import_fish(published[NEW], CODEC).model.state_dict()
    found = import_fish(rewritten(changed, change), CODEC).model.state_dict()
    assert found.keys() == plain.keys()
    for name, tensor in plain.items():
        assert torch.equal(tensor, found[name])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("fast_norm.weight"), r"1 tensors are missing: fast_norm\.weight"),
        (lambda t: t.pop("layers.1.feed_forward.w3.weight"), r"missing: layers\.1\.feed_forward\.w3\.weight"),
        (lambda t: t.pop("fast_project_in.bias"), r"missing: fast_project_in\.bias"),
        (lambda t: t.update({"layers.0.lora_A": torch.ones(2)}), r"belong to no part of the model: layers\.0\.lora_A"),
        (lambda t: t.update({"norm.weight": torch.ones(17)}), r"norm\.weight \(17,\), expected \(16,\)"),
        (
            lambda t: t.update({"layers.0.feed_forward.w1.weight": torch.ones(255, 16)}),
            r"layers\.0\.feed_forward\.w1\.weight \(255, 16\), expected \(256, 16\)",
        ),
        (lambda t: t.update({"norm.weight": torch.full((16,), torch.inf)}), r"norm\.weight holds numbers that are not"),
    ],
)
def test_tensors_that_do_not_fit_are_named(changed, change, message):
    def changing(tensors):
        change(tensors)

    with pytest.raises(ModelError, match=message) as error:
        import_fish(rewritten(changed, changing), CODEC)
    assert "model.pth" in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attention_qk_norm": True}, "is a Fish-Speech S1, which cannot be imported"),
        ({"scale_codebook_embeddings": True}, "is a Fish-Speech S1"),
        ({"norm_fastlayer_input": True}, "is a Fish-Speech S2"),
        ({"model_type": "fish_qwen3_omni"}, "is a Fish-Speech S2"),
        ({"model_type": "naive"}, "model_type is 'naive', expected 'dual_ar'"),
        ({"share_codebook_embeddings": False}, "share_codebook_embeddings is false"),
        ({"n_layer": None}, "n_layer is None, expected a whole number"),
        ({"vocab_size": "x"}, "vocab_size is 'x'"),
        ({"dim": 18}, r"model\.slow: dim 18, heads 4"),
        ({"norm_eps": "x"}, r"norm_eps is 'x', expected a number"),
        ({"codebook_size": 160}, "a vocabulary of 1024 frame tokens; the model has 160"),
    ],
)
def test_settings_that_do_not_fit_are_named(changed, change, message):
    (changed / "config.json").write_text(json.dumps(SETTINGS | change))
    assert is_fish(changed)
    with pytest.raises(ModelError, match=message):
        import_fish(changed, CODEC)


def test_missing_files_are_named(changed, tmp_path):
    (changed / "tokenizer.tiktoken").unlink()
    (changed / "model.pth").unlink()
    with pytest.raises(ModelError, match=r"has no model\.pth, no tokenizer\.tiktoken or tokenizer\.json"):
        import_fish(changed, CODEC)
    (changed / "firefly-gan-vq-fsq-8x1024-21hz-generator.pth").unlink()
    with pytest.raises(ModelError, match=r"no firefly-gan-vq-fsq-8x1024-21hz-generator\.pth"):
        import_fish(changed, CODEC)
    with pytest.raises(ModelError, match=r"config\.json: is missing"):
        import_fish(tmp_path, CODEC)
    assert not is_fish(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "whisper"}')
    assert not is_fish(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(ModelError, match="is no table of settings"):
        is_fish(tmp_path)


def test_the_published_codec_is_expected_unless_told_otherwise(published):
    with pytest.raises(ModelError, match=r"generator\.pth: .* tensors are missing"):
        import_fish(published[NEW])


@pytest.mark.parametrize(("version", "tokens", "parameters"), [(NEW, 102_048, 637_921_280), (OLD, 32_000, 494_462_976)])
def test_published_shapes_have_their_size(version, tokens, parameters):
    """0.64 and 0.49 billion parameters."""
    layer = (16 + 2 * 2) * 64 * 1024 + 1024**2 + 3 * 4096 * 1024 + 2 * 1024
    assert parameters == 28 * layer + (2 * tokens + 8 * 1024 + 2 * 1024) * 1024 + 2 * 1024
    settings = SETTINGS_14 | {
        "vocab_size": tokens, "n_layer": 24, "n_head": 16, "dim": 1024, "intermediate_size": 4096,
        "num_codebooks": 8, "max_seq_len": 64, "n_fast_layer": 4, "fast_intermediate_size": None,
        "fast_n_local_heads": None, "fast_attention_qkv_bias": None,
    }  # fmt: skip
    config = read_settings(settings, version, "config.json")
    with without_memory():
        model = FishSpeech(config, TokenLayout(tokens, 100, config.frame_tokens, 3))
    assert model.parameter_count == parameters
    names = [own for name in model.state_dict() for own in published_names(name)]
    assert len(names) == len(set(names)) == (24 + 4) * 7 + 7
