"""A pronunciation model comes back from disk as it was; other kinds and damaged files are told apart."""

from __future__ import annotations

import json

import pytest

from speech.errors import ModelError
from speech.models.checkpoint import KINDS, Storage, kind_of, load_checkpoint
from speech.models.letter_phonemes import LetterPhonemesConfig
from speech.models.letter_phonemes_checkpoint import (
    LetterPhonemesCheckpoint,
    load_letter_phonemes_checkpoint,
    save_letter_phonemes_checkpoint,
)
from speech.models.storage import PRONUNCIATION
from tests.cli.calling import run
from tests.pronounced import save_tiny_letter_phonemes, tiny_letter_phonemes


@pytest.fixture
def saved(tmp_path):
    return save_tiny_letter_phonemes(tmp_path / "p")


def test_it_comes_back_as_it_was(tmp_path):
    model = tiny_letter_phonemes()
    checkpoint = LetterPhonemesCheckpoint(model, {"note": "tiny"})
    save_letter_phonemes_checkpoint(tmp_path / "p", checkpoint, card="# tiny\n", storage=Storage.float32)
    loaded = load_letter_phonemes_checkpoint(tmp_path / "p")
    assert loaded.info == {"note": "tiny"}
    assert (loaded.model.config, loaded.model.vocabulary) == (model.config, model.vocabulary)
    assert not loaded.model.training
    words = ["abc", "deß", "é"]
    assert loaded.model.pronounce(words, "deu") == model.pronounce(words, "deu")
    assert (tmp_path / "p" / "README.md").read_text() == "# tiny\n"


def test_its_kind_is_in_the_closed_table_and_it_is_no_recogniser(saved, checkpoint):
    assert kind_of(saved) == PRONUNCIATION
    assert KINDS[PRONUNCIATION] is LetterPhonemesConfig
    with pytest.raises(ModelError, match="It knows how words are pronounced: use a model that recognises"):
        load_checkpoint(saved)
    with pytest.raises(ModelError, match=r"kind 'owsm_ctc'; expected 1, 'pronunciation'\. Use a pronunciation model"):
        load_letter_phonemes_checkpoint(checkpoint)


def test_it_describes_itself(saved):
    said = run("models", saved).stdout
    assert "kind          pronunciation" in said
    assert "deu, eng" in said
    assert "8 phonemes" in said


def test_what_is_wrong_is_named(saved):
    record = json.loads((saved / "config.json").read_text())
    for key, change, message in (
        ("model", {"kernel": 4}, "odd number"),
        ("model", {"depth": 3}, "wrong or missing key"),
        ("vocabulary", {"letters": "aab"}, "'aab' has something twice"),
        ("vocabulary", {"languages": None}, "wrong or missing key"),
        ("vocabulary", {"letters": "abc"}, "letters"),
    ):
        (saved / "config.json").write_text(json.dumps(record | {key: record[key] | change}))
        with pytest.raises(ModelError, match=message):
            load_letter_phonemes_checkpoint(saved)
