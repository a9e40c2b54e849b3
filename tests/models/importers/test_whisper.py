"""Published Whisper directories of both layouts become the same model; what is not one is refused by name. Parity with
the published implementation is in tests/parity."""

import json
from pathlib import Path

import numpy as np
import pytest
import tokenizers
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from speech.cli.app import app
from speech.errors import LanguageError, ModelError
from speech.models.checkpoint import load_label_checkpoint
from speech.models.importers.whisper import default_alignment_heads, import_whisper, load_whisper_encoder
from speech.models.importers.whisper_files import is_whisper
from speech.nn.decoder.label import LabelDecoderConfig
from speech.nn.encoder.whisper import WhisperEncoderConfig
from tests.published_whisper import (
    BINS,
    DECODER_LAYERS,
    DIM,
    HEADS,
    HIDDEN,
    LANGUAGES,
    change_json,
    ctranslate2_arrays,
    hugging_face_tensors,
    quantised,
    sinusoids,
    tokenizer_json,
    vocabulary_of,
    write_ctranslate2,
    write_hugging_face,
    write_json,
)

ENCODER = WhisperEncoderConfig(dim=DIM, layers=3, heads=HEADS, hidden=HIDDEN, reduce_after=1, period=100)


@pytest.fixture(scope="module")
def arrays(original) -> dict[str, np.ndarray]:
    return ctranslate2_arrays(load_file(original / "model.safetensors"))


def change_tensors(folder: Path, **changed: torch.Tensor) -> None:
    save_file(load_file(folder / "model.safetensors") | changed, folder / "model.safetensors")


def ctranslate2(folder: Path, arrays: dict[str, np.ndarray]) -> Path:
    return write_ctranslate2(folder, arrays, tokenizer_json())


def same(one: torch.nn.Module, other: torch.nn.Module, tolerance: float = 0.0) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.allclose(first[k], second[k], 0, tolerance) for k in first)


def test_every_tensor_finds_its_place(original):
    model, tokenizer = import_whisper(original)
    theirs = load_file(original / "model.safetensors")
    assert len(model.state_dict()) == len(theirs) - 1  # without sinusoids
    layer = model.decoder.layers[1]
    assert torch.equal(layer.cross.key.weight, theirs["model.decoder.layers.1.encoder_attn.k_proj.weight"])
    assert torch.equal(layer.feed_forward_norm.bias, theirs["model.decoder.layers.1.final_layer_norm.bias"])
    assert torch.equal(model.encoder.norm.weight, theirs["model.encoder.layer_norm.weight"])
    assert torch.equal(model.decoder.embed.weight, theirs["model.decoder.embed_tokens.weight"])
    assert not model.training
    assert model.config.suppressed == [1, 2, tokenizer.start]  # of generation_config, not of config
    assert model.config.suppressed_first == [220, tokenizer.end]
    assert model.config.alignment_heads == [(0, 1), (1, 0)]
    assert model.config.positions == 1500
    assert list(tokenizer.languages) == ["eng", "cmn", "deu", "spa", "rus"]
    assert not tokenizer.english_only


def test_ctranslate2_gives_the_same_model(original, arrays, tmp_path):
    model, tokenizer = import_whisper(original)
    found, other = import_whisper(ctranslate2(tmp_path / "model", arrays))
    assert same(model, found)
    assert found.config == model.config
    assert other.languages == tokenizer.languages


@pytest.mark.parametrize(("bits", "tolerance"), [(8, 0.006), (16, 0.001)])
def test_whole_numbers_of_ctranslate2_come_near(original, arrays, tmp_path, bits, tolerance):
    found, _ = import_whisper(ctranslate2(tmp_path / "model", quantised(arrays, bits)))
    model, _ = import_whisper(original)
    assert same(model, found, tolerance)
    assert not same(model, found)
    row = quantised(arrays, 8)["decoder/embeddings/weight"][5]
    if bits == 8:
        scale = np.float32(127 / np.abs(arrays["decoder/embeddings/weight"][5]).max())
        assert torch.equal(found.decoder.embed.weight[5], torch.from_numpy(row.astype(np.float32) / scale))


def test_half_precision_is_exact(original, arrays, tmp_path):
    half = {name: a.astype(np.float16) if a.ndim and a.dtype == np.float32 else a for name, a in arrays.items()}
    found, _ = import_whisper(ctranslate2(tmp_path / "model", half))
    model, _ = import_whisper(original)
    assert same(found, model.half().float())


def test_weights_in_several_files(original, copy):
    tensors = load_file(copy / "model.safetensors")
    (copy / "model.safetensors").unlink()
    names = sorted(tensors)
    parts = {"model-1.safetensors": names[:20], "model-2.safetensors": names[20:]}
    for name, keys in parts.items():
        save_file({key: tensors[key] for key in keys}, copy / name)
    places = {key: name for name, keys in parts.items() for key in keys}
    write_json(copy / "model.safetensors.index.json", {"weight_map": places})
    assert same(import_whisper(copy)[0], import_whisper(original)[0])
    write_json(copy / "model.safetensors.index.json", {"weight_map": places | {"strange": "model-1.safetensors"}})
    with pytest.raises(ModelError, match="strange are in none of its files"):
        import_whisper(copy)
    write_json(copy / "model.safetensors.index.json", {"weight_map": {"a": "../model-1.safetensors"}})
    with pytest.raises(ModelError, match="does not lie beside it"):
        import_whisper(copy)
    write_json(copy / "model.safetensors.index.json", {"weight_map": []})
    with pytest.raises(ModelError, match="no weight_map"):
        import_whisper(copy)


def test_large_v3_has_more_bins_languages_and_another_name_for_silence(tmp_path):
    data = tokenizer_json([*LANGUAGES, "yue"], "<|nospeech|>")
    model, tokenizer = import_whisper(write_hugging_face(tmp_path / "model", bins=128, tokenizer=data))
    assert model.log_mel.config.n_mels == 128
    assert list(tokenizer.languages)[-1] == "yue"
    x = torch.zeros(1, 16000)
    frames, lengths = model.encode(x, torch.tensor([16000]))
    assert frames.shape == (1, 50, DIM)
    assert lengths.tolist() == [50]


def test_without_alignment_heads_those_of_the_upper_half(copy):
    change_json(copy / "generation_config.json", alignment_heads=None)
    assert import_whisper(copy)[0].config.alignment_heads == [(1, 0), (1, 1)]
    assert default_alignment_heads(LabelDecoderConfig(dim=8, layers=4, heads=1)) == [(2, 0), (3, 0)]
    assert default_alignment_heads(LabelDecoderConfig(dim=8, layers=3, heads=2))[0] == (1, 0)


def test_a_model_of_english_alone_is_told_no_language(copy):
    change_json(copy / "generation_config.json", is_multilingual=False, lang_to_id=None)
    model, tokenizer = import_whisper(copy)
    assert model.config.english_only
    assert list(tokenizer.languages) == ["eng"]
    assert tokenizer.prompt("eng") == [tokenizer.start, tokenizer.no_timestamps]
    with pytest.raises(LanguageError, match="does not know the language 'deu'"):
        tokenizer.prompt("deu")


def test_the_vocabulary_of_gpt_2_is_of_english_alone(arrays, tmp_path):
    """CTranslate2's files do not say it."""
    vocabulary = {letter: n for n, letter in enumerate(sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()))}
    vocabulary |= {f"a{n}": n for n in range(256, 50_256)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer, tokenizer.decoder = tokenizers.pre_tokenizers.ByteLevel(), tokenizers.decoders.ByteLevel()
    specials = ["endoftext", "startoftranscript", "en", "de", "translate", "transcribe", "startoflm", "startofprev"]
    tokenizer.add_special_tokens([f"<|{name}|>" for name in [*specials, "nocaptions", "notimestamps"]])
    data = tokenizer.to_str().encode()
    whole = ctranslate2_arrays(hugging_face_tensors(vocabulary_of(data)))
    model, english = import_whisper(write_ctranslate2(tmp_path / "model", whole, data))
    assert english.end == 50_256
    assert model.config.english_only
    assert list(english.languages) == ["eng"]


@pytest.mark.parametrize("layout", ["hugging face", "ctranslate2"])
def test_the_command_writes_a_checkpoint(original, arrays, tmp_path, layout):
    source = original if layout == "hugging face" else ctranslate2(tmp_path / "model", arrays)
    assert is_whisper(source)
    result = CliRunner().invoke(app, ["import", str(source), "--to", str(tmp_path / "ours")])
    assert result.exit_code == 0, result.output
    checkpoint = load_label_checkpoint(tmp_path / "ours")
    model, tokenizer = import_whisper(source)
    assert same(checkpoint.model, model)
    assert checkpoint.model.config == model.config
    assert checkpoint.tokenizer.data == tokenizer.data == (original / "tokenizer.json").read_bytes()
    card = (tmp_path / "ours" / "README.md").read_text()
    record = json.loads((tmp_path / "ours" / "config.json").read_text())
    assert "5 languages" in card
    if layout == "hugging face":
        assert "Licence: apache-2.0, as the source says" in card
        assert record["info"] == {"source": str(source), "licence": "apache-2.0"}
        assert "where it comes from" in (tmp_path / "ours" / "SOURCE.md").read_text()
    else:
        assert "The source names no licence" in card
        assert record["info"]["licence"] is None
        assert not (tmp_path / "ours" / "SOURCE.md").exists()


def test_the_checkpoint_of_english_alone_stays_that(copy, tmp_path):
    change_json(copy / "generation_config.json", is_multilingual=False)
    (copy / "README.md").write_text("---\nlicense: other\nlicense_name: ours\n---\n")
    result = CliRunner().invoke(app, ["import", str(copy), "--to", str(tmp_path / "ours"), "--storage", "int8"])
    assert result.exit_code == 0, result.output
    assert list(load_label_checkpoint(tmp_path / "ours").tokenizer.languages) == ["eng"]
    card = (tmp_path / "ours" / "README.md").read_text()
    assert "English alone" in card
    assert "Licence: ours" in card


@pytest.mark.parametrize(
    "readme", ["no front matter", "---\n[\n---\n", "---\njust text\n---\n", "---\nlicense:\n---\n"]
)
def test_a_card_without_licence_says_nothing(copy, tmp_path, readme):
    (copy / "README.md").write_text(readme)
    result = CliRunner().invoke(app, ["import", str(copy), "--to", str(tmp_path / "ours")])
    assert result.exit_code == 0, result.output
    assert "names no licence" in (tmp_path / "ours" / "README.md").read_text()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"model.decoder.strange.weight": torch.zeros(2)}, r"'model\.decoder\.strange\.weight' is not part"),
        ({"model.encoder.embed_positions.weight": torch.ones(1500, DIM)}, "does not hold sinusoids"),
        ({"model.encoder.embed_positions.weight": torch.ones(1500, DIM).int()}, "does not hold sinusoids"),
        ({"proj_out.weight": torch.zeros(2, DIM)}, r"proj_out\.weight is not the embedding"),
        ({"model.encoder.conv1.bias": torch.full((DIM,), torch.nan)}, "not finite"),
        ({"model.decoder.layers.0.self_attn.k_proj.bias": torch.zeros(DIM)}, "belong to no part of the model"),
    ],
)
def test_tensors_that_are_not_computed_are_named(copy, changed, named):
    change_tensors(copy, **changed)
    with pytest.raises(ModelError, match=named):
        import_whisper(copy)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_sinusoids_in_any_precision_and_an_output_that_is_tied_are_left_out(original, copy, dtype):
    embedding = load_file(copy / "model.safetensors")["model.decoder.embed_tokens.weight"]
    positions = sinusoids().to(dtype)
    change_tensors(copy, **{"model.encoder.embed_positions.weight": positions, "proj_out.weight": embedding})
    assert same(import_whisper(copy)[0], import_whisper(original)[0])


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"decoder/activation": np.array(0, np.int8)}, "decoder/activation is 0, expected 3"),
        ({"decoder/pre_norm": np.array(0, np.int8)}, "decoder/pre_norm is 0, expected 1"),
        ({"decoder/alibi": np.array(1, np.int8)}, "decoder/alibi is 1, expected 0"),
        ({"decoder/rotary_dim": np.array(64, np.int32)}, "decoder/rotary_dim is 64, expected 0"),
        ({"encoder/num_heads": np.array(0, np.int16)}, "encoder/num_heads is missing"),
        ({"decoder/num_heads": None}, "decoder/num_heads is missing"),
        ({"encoder/conv1/weight": None}, r"encoder\.subsampling\.conv1\.weight is missing"),
        ({"encoder/layer_1/ffn/linear_0/bias": None}, "1 tensors are missing"),
        ({"encoder/layer_0/self_attention/linear_0/weight": np.ones((47, DIM), np.float32)}, "multiple of 3"),
        ({"encoder/layer_0/self_attention/linear_0/bias": np.ones(48, np.float32)}, "bias of the keys"),
        ({"encoder/position_encodings/encodings": np.ones((1500, DIM), np.float32)}, "does not hold sinusoids"),
        ({"decoder/layer_0/gate/weight": np.ones((2, 2), np.float32)}, "'decoder/layer_0/gate/weight' is not part"),
        ({"decoder/layer_0/ffn/linear_0/weight": np.ones((HIDDEN, DIM), np.int8)}, "no scale that fits"),
    ],
)
def test_arrays_that_are_not_computed_are_named(arrays, tmp_path, changed, named):
    whole = {name: value for name, value in (arrays | changed).items() if value is not None}
    with pytest.raises(ModelError, match=named) as error:
        import_whisper(ctranslate2(tmp_path / "model", whole))
    assert "model.bin" in str(error.value)


@pytest.mark.parametrize("prefix", ["", "encoder.", "model.encoder."])
def test_the_encoder_alone_starts_a_training(original, tmp_path, prefix):
    whole = load_file(original / "model.safetensors")
    own = {k.replace("model.encoder.", prefix): v.half() for k, v in whole.items() if k.startswith("model.encoder.")}
    if prefix == "model.encoder.":
        own |= {k: v for k, v in whole.items() if k.startswith("model.decoder.")}
    save_file(own, tmp_path / "w.safetensors")
    encoder = ENCODER.build()
    load_whisper_encoder(encoder, tmp_path / "w.safetensors")
    expected = own[f"{prefix}layers.1.self_attn.v_proj.weight"].float()
    assert torch.equal(encoder.layers[1].attention.value.weight, expected)
    assert torch.equal(encoder.norm.bias, own[f"{prefix}layer_norm.bias"].float())


def test_an_encoder_of_another_size_is_refused(original, tmp_path):
    whole = load_file(original / "model.safetensors") | {"model.encoder.conv1.weight": torch.zeros(DIM, BINS + 1, 3)}
    save_file(whole, tmp_path / "w.safetensors")
    with pytest.raises(ModelError, match=r"conv1\.weight"):
        load_whisper_encoder(ENCODER.build(), tmp_path / "w.safetensors")


def test_something_else_than_an_encoder_is_refused(tmp_path):
    save_file({"layers.0.strange.weight": torch.zeros(2)}, tmp_path / "w.safetensors")
    with pytest.raises(ModelError, match=r"w\.safetensors: key 'layers\.0\.strange\.weight'"):
        load_whisper_encoder(ENCODER.build(), tmp_path / "w.safetensors")
    with pytest.raises(ModelError, match="no such file"):
        load_whisper_encoder(ENCODER.build(), tmp_path / "nothing.safetensors")


def test_the_decoder_may_be_less_deep(original):
    config = import_whisper(original)[0].config
    assert (config.encoder.layers, config.decoder.layers) == (3, DECODER_LAYERS)
