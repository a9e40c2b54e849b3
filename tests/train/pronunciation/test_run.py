"""Training of a tiny pronunciation model: it learns, resumes exactly, and says of itself what it is."""

from __future__ import annotations

import pytest
import torch

from speech.errors import ConfigError, DataError
from speech.models.letter_phonemes_checkpoint import load_letter_phonemes_checkpoint
from speech.train.loop.callbacks import Metrics, read_metrics
from speech.train.pronunciation.batches import SOURCES
from speech.train.pronunciation.run import train_pronunciation
from tests.changes import changed
from tests.pronounced import SOUNDS, write_corpus
from tests.train.pronunciation.corpus import tiny


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpora")
    return [write_corpus(root / "eng"), write_corpus(root / "deu", "deu", 24)]


def test_it_learns_how_words_are_pronounced(corpora, tmp_path):
    (corpora[0] / SOURCES).write_text('[["a teacher", "CC0"]]')
    config = tiny(corpora, tmp_path / "run", max_steps=120, validate_every=120, average=0)
    result = train_pronunciation(config)
    model = load_letter_phonemes_checkpoint(result).model
    words = ["badec", "cab", "dead"]
    assert model.pronounce(words, "eng") == ["".join(SOUNDS[letter] for letter in word) for word in words]
    assert model.vocabulary.languages == ("deu", "eng")
    rows = [row for row in read_metrics(tmp_path / "run" / "metrics.jsonl") if "dev/ctc" in row]
    assert rows[0]["dev/words_wrong"] > 0.9
    assert rows[-1]["dev/words_wrong"] < 0.1
    assert (tmp_path / "run" / "learning_curve.png").stat().st_size > 5000
    card = (result / "README.md").read_text()
    assert "# tiny\n" in card
    assert "How words are pronounced in deu, eng" in card
    assert "| words_wrong | 0.0" in card
    assert "| a teacher | CC0 |" in card


class Killed(Exception):
    pass


def test_a_killed_run_resumes_to_the_same_weights(corpora, tmp_path, monkeypatch):
    whole = train_pronunciation(tiny(corpora, tmp_path / "whole"))
    after = Metrics.on_train_batch_end

    def kill(self, trainer, *rest):
        after(self, trainer, *rest)
        if trainer.global_step == 4:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Metrics, "on_train_batch_end", kill)
        with pytest.raises(Killed):
            train_pronunciation(tiny(corpora, tmp_path / "cut"))
    resumed = train_pronunciation(tiny(corpora, tmp_path / "cut"))
    wanted, found = (load_letter_phonemes_checkpoint(path).model.state_dict() for path in (whole, resumed))
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, atol=0, rtol=0)


def test_what_cannot_be_trained_on_is_said_first(corpora, tmp_path):
    config = tiny(corpora, tmp_path / "run")
    with pytest.raises(ConfigError, match="one process only"):
        train_pronunciation(changed(config, {"trainer.devices": 2}))
    with pytest.raises(DataError, match="no such file"):
        train_pronunciation(changed(config, {"corpora": [str(tmp_path)]}))
    assert not (tmp_path / "run" / "metrics.jsonl").exists()
