"""Files of published Whisper models: which are needed, and which settings are refused."""

import pytest

from speech.errors import ModelError
from speech.models.importers.whisper import import_whisper
from speech.models.importers.whisper_files import is_whisper
from tests.published_whisper import change_json, write_json


def test_without_generation_config_the_older_settings_hold(copy):
    (copy / "generation_config.json").unlink()
    model, tokenizer = import_whisper(copy)
    assert model.config.suppressed == [0]
    assert not tokenizer.english_only


@pytest.mark.parametrize(
    ("file", "settings", "named"),
    [
        ("config.json", {"activation_function": "relu"}, "activation_function is 'relu', expected 'gelu'"),
        ("config.json", {"scale_embedding": True}, "scale_embedding is True"),
        ("config.json", {"tie_word_embeddings": False}, "tie_word_embeddings is False"),
        ("config.json", {"model_type": "bart"}, "model_type is 'bart'"),
        ("config.json", {"d_model": "wide"}, "d_model is 'wide'"),
        ("config.json", {"decoder_layers": None}, "decoder_layers is None"),
        ("config.json", {"decoder_layers": 3}, "tensors are missing"),
        ("config.json", {"encoder_layers": 2}, "belong to no part of the model"),
        ("config.json", {"encoder_ffn_dim": 25}, "another shape"),
        ("config.json", {"num_mel_bins": 128}, "feature_size is 80, expected 128"),
        ("config.json", {"vocab_size": 300}, "tokens, the model 300"),
        ("preprocessor_config.json", {"hop_length": 320}, "hop_length is 320, expected 160"),
        ("generation_config.json", {"suppress_tokens": "all"}, "suppress_tokens is 'all'"),
        ("generation_config.json", {"suppress_tokens": [-1]}, "suppress_tokens holds -1"),
        ("generation_config.json", {"suppress_tokens": [99_999]}, "suppresses token 99999"),
        ("generation_config.json", {"alignment_heads": [[2, 0]]}, "head 0 of layer 2"),
        ("generation_config.json", {"alignment_heads": [1]}, "no list of pairs"),
        ("generation_config.json", {"decoder_start_token_id": 5}, "the model with 5"),
        ("generation_config.json", {"lang_to_id": {"<|en|>": 7}}, "no languages as tokens 7"),
        ("generation_config.json", {"lang_to_id": 7}, "lang_to_id is 7"),
    ],
)
def test_another_architecture_is_refused_by_name(copy, file, settings, named):
    change_json(copy / file, **settings)
    with pytest.raises(ModelError, match=named) as error:
        import_whisper(copy)
    assert str(copy) in str(error.value)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_files_that_are_missing_or_something_else_are_named(copy, name):
    (copy / name).write_bytes(b"[]")
    with pytest.raises(ModelError, match=name.replace(".", r"\.")):
        import_whisper(copy)
    (copy / name).unlink()
    with pytest.raises(ModelError, match=rf"{name}: is missing"):
        import_whisper(copy)


def test_a_directory_of_something_else_is_no_whisper(tmp_path):
    assert not is_whisper(tmp_path)
    write_json(tmp_path / "config.json", {"model_type": "wav2vec2"})
    assert not is_whisper(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelError, match="is not JSON"):
        is_whisper(tmp_path)
