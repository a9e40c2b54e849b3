"""A Whisper comes back from disk as it was, in all storages and precisions, and says what is wrong with it."""

import json

import pytest
import torch
from safetensors.torch import load_file

from speech.errors import ModelError
from speech.models.checkpoint import (
    LabelCheckpoint,
    Storage,
    config_from_dict,
    config_to_dict,
    load_checkpoint,
    load_label_checkpoint,
    save_label_checkpoint,
)
from speech.models.precision import Precision, with_precision
from speech.models.whisper import Whisper, WhisperConfig
from speech.nn.cpu.instructions import instructions
from speech.nn.cpu.int8 import Int8Embedding, Int8Linear, int8_runs
from speech.nn.cpu.packed import PackedLinear, packing_runs
from speech.nn.decoder.compiled import CompiledDecoder
from speech.nn.tied_embedding import TiedEmbedding
from tests.tiny_whisper import tiny_label_tokenizer, tiny_whisper, tiny_whisper_config

needs_kernels = pytest.mark.skipif(not int8_runs(), reason="needs the quantised kernels of x86")
PRECISIONS = [Precision.float32, Precision.bfloat16, pytest.param(Precision.int8, marks=needs_kernels)]


@pytest.fixture(scope="module")
def whisper() -> LabelCheckpoint:
    return LabelCheckpoint(tiny_whisper(), tiny_label_tokenizer(), {"note": "tiny"})


@pytest.fixture(params=list(Storage))
def saved(request, whisper, tmp_path):
    save_label_checkpoint(tmp_path / "w", whisper, card="# tiny\n", storage=request.param)
    return request.param, tmp_path / "w"


def logits(model: Whisper) -> torch.Tensor:
    """Of two utterances, one of them shorter, first at once and then by the last token alone."""
    generator = torch.Generator().manual_seed(1)
    samples = torch.randn(2, 9600, generator=generator) * 0.1
    tokens = torch.tensor([[257, 258, 262, 266, 70], [257, 259, 262, 266, 80]])
    with torch.inference_mode():
        frames, lengths = model.encode(samples, torch.tensor([9600, 6400]))
        x, state, _ = model.step(tokens[:, :-1], model.begin(frames, lengths))
        last, _, attention = model.step(tokens[:, -1:], state, model.alignment_heads)
        assert attention.shape == (2, 2, 1, frames.shape[1])
        found = model.logits(torch.cat([x, last], dim=1))
    assert found.dtype == torch.float32
    return found


def test_it_comes_back_as_it_was(saved, whisper):
    storage, path = saved
    loaded = load_label_checkpoint(path)
    assert loaded.info == whisper.info
    assert loaded.model.config == whisper.model.config
    assert loaded.tokenizer.data == whisper.tokenizer.data
    assert not loaded.model.training
    tolerance = {Storage.float32: 1e-5, Storage.float16: 0.02, Storage.int8: 0.2, Storage.compact: 1.0}[storage]
    assert (logits(loaded.model) - logits(whisper.model)).abs().max() <= tolerance
    assert {file.name for file in path.iterdir()} == {
        "encoder.safetensors", "decoder.safetensors", "config.json", "tokenizer.json", "README.md",
    }  # fmt: skip
    record = json.loads((path / "config.json").read_text())
    assert (record["format"], record["kind"]) == (1, "whisper")
    kinds = {
        Storage.float32: torch.float32,
        Storage.float16: torch.float16,
        Storage.int8: torch.int8,
        Storage.compact: torch.uint8,
    }
    assert load_file(path / "decoder.safetensors")["decoder.embed.weight"].dtype == kinds[storage]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_from_the_numbers_on_disk_it_becomes_what_it_becomes_from_float32(saved, precision):
    _, path = saved
    stored, loaded = load_label_checkpoint(path, as_stored=True).model, load_label_checkpoint(path).model
    found, expected = (logits(with_precision(model, precision)) for model in (stored, loaded))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_as_stored_linear_layers_and_the_embedding_stay_in_eight_bits(whisper, tmp_path):
    save_label_checkpoint(tmp_path / "w", whisper, card="", storage=Storage.int8)
    model = load_label_checkpoint(tmp_path / "w", as_stored=True).model
    eight = {name for name, p in model.named_parameters() if p.dtype == torch.qint8}
    assert "decoder.embed.weight" in eight
    assert {"encoder.layers.0.attention.query.weight", "decoder.layers.1.cross.key.weight"} <= eight
    assert "decoder.positions" not in eight
    assert "encoder.subsampling.conv1.weight" not in eight


@needs_kernels
def test_eight_bits_are_near_float32(whisper):
    eight = with_precision(whisper.model, Precision.int8)
    assert type(eight.decoder) is CompiledDecoder if instructions() else type(eight.decoder.embed) is Int8Embedding
    assert {type(m) for m in eight.modules()} & {torch.nn.Linear, TiedEmbedding, Int8Linear} == {Int8Linear}
    near, exact = logits(eight), logits(whisper.model)
    assert (near - exact).norm(dim=-1).max() <= 0.05 * exact.norm(dim=-1).max()
    samples, lengths, tokens = torch.randn(1, 8000) * 0.1, torch.tensor([8000]), torch.tensor([[257, 258, 262]])
    with torch.inference_mode():
        near, exact = eight(samples, lengths, tokens), whisper.model(samples, lengths, tokens)
    assert (near - exact).norm(dim=-1).max() <= 0.05 * exact.norm(dim=-1).max()


@pytest.mark.skipif(not packing_runs(), reason="needs oneDNN")
def test_float32_is_packed_and_says_the_same(whisper):
    packed = with_precision(whisper.model, Precision.float32)
    kinds = {type(module) for module in packed.modules()}
    assert PackedLinear in kinds
    assert torch.nn.Linear not in kinds
    assert packed.decoder.embed.weight is whisper.model.decoder.embed.weight
    torch.testing.assert_close(logits(packed), logits(whisper.model), atol=1e-4, rtol=1e-4)


def test_bfloat16_is_near(whisper):
    half = with_precision(whisper.model, Precision.bfloat16)
    assert {p.dtype for p in half.parameters()} == {torch.bfloat16}
    assert half.log_mel.filters.dtype == torch.float32
    exact = logits(whisper.model)
    assert (logits(half) - exact).norm(dim=-1).max() <= 0.05 * exact.norm(dim=-1).max()


def test_a_ctc_checkpoint_is_not_taken_for_one_nor_the_other_way_round(saved, checkpoint, tmp_path):
    with pytest.raises(ModelError, match="kind 'owsm_ctc'; expected 1, 'whisper'"):
        load_label_checkpoint(checkpoint)
    _, path = saved
    what = "kind 'whisper'; expected 1, 'owsm_ctc' or 'hybrid'. It has no CTC: use a CTC or hybrid model"
    with pytest.raises(ModelError, match=what):
        load_checkpoint(path)


@pytest.mark.parametrize("name", ["encoder.safetensors", "decoder.safetensors", "config.json", "tokenizer.json"])
def test_a_file_that_is_missing_is_named(whisper, tmp_path, name):
    save_label_checkpoint(tmp_path / "w", whisper, card="")
    (tmp_path / "w" / name).unlink()
    with pytest.raises(ModelError, match=name):
        load_label_checkpoint(tmp_path / "w")


def test_weights_in_the_wrong_file_are_named(whisper, tmp_path):
    save_label_checkpoint(tmp_path / "w", whisper, card="")
    (tmp_path / "w" / "encoder.safetensors").replace(tmp_path / "w" / "decoder.safetensors")
    save_label_checkpoint(tmp_path / "other", whisper, card="")
    (tmp_path / "other" / "encoder.safetensors").replace(tmp_path / "w" / "encoder.safetensors")
    with pytest.raises(ModelError, match=r"decoder\.safetensors"):
        load_label_checkpoint(tmp_path / "w")


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(tmp_path):
    config = tiny_whisper_config()
    config.decoder.vocabulary = 100
    save_label_checkpoint(tmp_path / "w", LabelCheckpoint(config.build(), tiny_label_tokenizer(), {}), card="")
    with pytest.raises(ModelError, match="has 267 tokens, the model 100"):
        load_label_checkpoint(tmp_path / "w")


def test_a_configuration_comes_back_and_unknown_keys_are_refused():
    config = tiny_whisper_config()
    record = json.loads(json.dumps(config_to_dict(config)))
    assert config_from_dict(WhisperConfig, record, "here") == config
    record["decoder"]["_target_"] = "os.system"
    with pytest.raises(ModelError, match="_target_"):
        config_from_dict(WhisperConfig, record, "here")
