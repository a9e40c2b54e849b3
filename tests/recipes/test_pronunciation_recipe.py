"""`recipes/tts/train_pronunciation.py`: from pronounced words to a model, as it is called."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from speech.models.letter_phonemes_checkpoint import load_letter_phonemes_checkpoint
from tests.pronounced import SHAPE, write_corpus
from tests.recipes.starting import one_line, started

SCRIPT = "tts/train_pronunciation.py"


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[object]:
    yield from started(monkeypatch, capsys)


def test_it_writes_a_model_and_says_where(start, tmp_path):
    shape = [f"model.{name}={value}" for name, value in SHAPE.items()]
    output, corpus = tmp_path / "run", write_corpus(tmp_path / "corpus")
    ran = start(SCRIPT, "debug=default", f"output={output}", f"corpora=[{corpus}]", "trainer.progress=false", *shape)
    assert ran.code == 0, ran.err[-3000:]
    assert ran.out.replace("\n", "") == f"pronunciation model: {output / 'model'}"
    assert load_letter_phonemes_checkpoint(output / "model").model.vocabulary.languages == ("eng",)


def test_what_is_wrong_is_said_in_a_line(start, tmp_path):
    assert "corpora is empty" in one_line(start(SCRIPT, "debug=default", f"output={tmp_path / 'run'}"))
    wrong = one_line(start(SCRIPT, "debug=default", f"output={tmp_path / 'run'}", f"corpora=[{tmp_path}]"))
    assert "train.jsonl: no such file" in wrong
