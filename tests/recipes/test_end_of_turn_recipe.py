"""`recipes/dialogue/train_end_of_turn.py`: from texts to a model, as it is called."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from speech.models.turn_end import load_turn_end
from tests.recipes.starting import one_line, started
from tests.turns import write_texts

SCRIPT = "dialogue/train_end_of_turn.py"


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[object]:
    yield from started(monkeypatch, capsys)


def test_it_writes_a_model_and_says_where(start, tmp_path):
    output, texts = tmp_path / "run", write_texts(tmp_path / "texts")
    ran = start(SCRIPT, "debug=default", f"output={output}", f"texts={texts}", "trainer.progress=false", "buckets=512")
    assert ran.code == 0, ran.err[-3000:]
    assert ran.out.replace("\n", "") == f"end-of-turn model: {output / 'model'}"
    assert len(load_turn_end(output / "model").weights) == 512


def test_what_is_wrong_is_said_in_a_line(start, tmp_path):
    assert "texts is empty" in one_line(start(SCRIPT, "debug=default", f"output={tmp_path / 'run'}"))
    wrong = one_line(start(SCRIPT, "debug=default", f"output={tmp_path / 'run'}", f"texts={tmp_path}"))
    assert "train.jsonl: no such file" in wrong
