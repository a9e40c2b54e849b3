"""An adapter behind a newer base is the same, with another name for its base."""

import copy

import pytest
import torch

from speech.errors import ModelError
from speech.models.adapters.file import fingerprint
from speech.models.adapters.transfer import transfer
from speech.models.checkpoint import save_checkpoint
from speech.models.owsm_ctc import OwsmCtc
from speech.text.tokenizers.sentencepiece import Tokenizer
from tests.conftest import TEXTS, small_whisper
from tests.models.adapters.test_file import made, saved


@pytest.fixture(scope="module")
def newer(model, tokenizer, tmp_path_factory):
    """It has been trained on, in a way."""
    other = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(0.01)
    path = tmp_path_factory.mktemp("models") / "newer"
    save_checkpoint(path, other, tokenizer, info={}, card="# newer\n")
    return path


def test_numbers_stay_and_the_base_is_the_newer_one(checkpoint, newer, tmp_path):
    item = made("lad", fingerprint(checkpoint))
    moved = transfer(saved(tmp_path / "lad.safetensors", item), checkpoint, newer)
    assert moved.base == fingerprint(newer) != item.base
    assert (moved.language, moved.adapter.layers, moved.adapter.tokens) == ("lad", (1, 3), ("α", "ω"))
    for name, value in item.adapter.named_parameters():
        assert torch.equal(moved.adapter.get_parameter(name), value)
    assert moved.scores == {}
    assert moved.card.startswith(item.card)
    assert fingerprint(checkpoint)[:12] in moved.card


def test_it_has_to_be_for_the_old_base(checkpoint, newer, tmp_path):
    path = saved(tmp_path / "lad.safetensors", made("lad", fingerprint(newer)))
    with pytest.raises(ModelError, match=r"lad.*is for another model"):
        transfer(path, checkpoint, newer)


def test_bases_of_other_sizes_or_words_are_refused(checkpoint, tokenizer, tmp_path):
    path = saved(tmp_path / "lad.safetensors", made("lad", fingerprint(checkpoint)))
    config = small_whisper()
    config.encoder.hidden = 48
    save_checkpoint(tmp_path / "wider", OwsmCtc(config, tokenizer.vocabulary), tokenizer, info={}, card="")
    with pytest.raises(ModelError, match=r"wider: has other sizes than the old base: \d+ tensors, such as encoder"):
        transfer(path, checkpoint, tmp_path / "wider")
    languages = {"languages": ["deu", "eng", "spa"], "st_targets": ["eng"]}
    other = Tokenizer.train([text.upper() for text in TEXTS], vocab_size=60, **languages)
    save_checkpoint(tmp_path / "loud", OwsmCtc(small_whisper(), other.vocabulary), other, info={}, card="")
    with pytest.raises(ModelError, match=r"loud: has another vocabulary than the old base: piece '.*' instead of"):
        transfer(path, checkpoint, tmp_path / "loud")
