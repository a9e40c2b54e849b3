"""Training of a tiny end-of-turn model: it learns, resumes exactly, is calibrated, and says of itself what it is."""

from __future__ import annotations

import numpy as np
import pytest

from speech.errors import ConfigError, DataError
from speech.models.turn_end import TurnEndModel, load_turn_end
from speech.text.turn_features import turn_features
from speech.train.end_of_turn.batches import PHRASES_SOURCE, as_example
from speech.train.end_of_turn.examples import TurnMaker
from speech.train.end_of_turn.run import calibrated, calibrating, train_end_of_turn
from speech.train.end_of_turn.turns import WrittenTurn, write_turns
from speech.train.loop.callbacks import Metrics, read_metrics
from speech.train.pronunciation.batches import SOURCES
from tests.changes import changed
from tests.turns import made_up, tiny, write_texts


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    return write_texts(tmp_path_factory.mktemp("texts") / "own")


def test_it_learns_what_ends_turns(texts, tmp_path):
    (texts / SOURCES).write_text('[["made up", "CC0"]]')
    heard = tmp_path / "heard"
    heard.mkdir()
    cut = [own._replace(text=own.text.removesuffix(" done.") + ".", finished=False) for own in made_up(30, 4)]
    for part in ("train", "dev"):
        write_turns(heard / f"{part}.jsonl", [*made_up(30, 3), *cut])
    config = tiny(texts, tmp_path / "run", str(heard), max_steps=60, validate_every=60, average=0)
    result = train_end_of_turn(config)
    model = load_turn_end(result)
    assert model.probability("The red dog done.", "eng") > 0.9
    assert model.probability("The red dog likes the.", "eng") < 0.1
    rows = [row for row in read_metrics(tmp_path / "run" / "metrics.jsonl") if "dev/roc_area" in row]
    assert rows[0]["dev/roc_area"] == 0.5
    assert rows[-1]["dev/roc_area"] > 0.95
    card = (result / "README.md").read_text()
    assert "# tiny\n" in card
    assert "60 texts" in card
    assert "| eng | 60 | 60 |" in card
    assert "| made up | CC0 |" in card
    assert (result / "learning_curve.png").stat().st_size > 5000


class Killed(Exception):
    pass


def test_a_killed_run_resumes_to_the_same_weights(texts, tmp_path, monkeypatch):
    whole = train_end_of_turn(tiny(texts, tmp_path / "whole"))
    after = Metrics.on_train_batch_end

    def kill(self, trainer, *rest):
        after(self, trainer, *rest)
        if trainer.global_step == 4:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Metrics, "on_train_batch_end", kill)
        with pytest.raises(Killed):
            train_end_of_turn(tiny(texts, tmp_path / "cut"))
    resumed = train_end_of_turn(tiny(texts, tmp_path / "cut"))
    names = ("model.safetensors", "config.json")
    assert [(whole / name).read_bytes() for name in names] == [(resumed / name).read_bytes() for name in names]
    again = train_end_of_turn(tiny(texts, tmp_path / "whole"))
    assert (again / names[0]).read_bytes() == (resumed / names[0]).read_bytes()


def test_a_model_that_is_too_sure_is_made_less_so():
    weights = np.zeros(4096, np.float32)
    yes, no = (set(turn_features(text, "eng", 4096)) for text in ("yes", "no"))
    weights[[*yes - no]], weights[[*no - yes]] = 1.0, -1.0
    sure = TurnEndModel(weights, 3.0)
    turns = [
        WrittenTurn("", "eng", text, (n % 4 > 0) == (text == "yes"), "") for n in range(100) for text in ("yes", "no")
    ]
    found = calibrated(sure, [as_example(own) for own in turns])
    assert found.probability("yes", "eng") == pytest.approx(0.75, abs=0.01)
    assert found.probability("no", "eng") == pytest.approx(0.25, abs=0.01)
    assert found.weights.dtype == np.float32
    more = [*turns, *(own for own in turns if not own.finished)]
    again = calibrated(sure, [as_example(own) for own in more])
    assert again.probability("yes", "eng") == pytest.approx(0.75, abs=0.01), "as if as many were finished as not"


def test_recognised_turns_and_phrases_calibrate():
    phrase = WrittenTurn("p", "eng", "I would", False, PHRASES_SOURCE)
    heard = WrittenTurn("h", "eng", "It was.", True, "b")
    found = calibrating([*made_up(5, 1), phrase], [heard], TurnMaker(made_up(5, 1), {}))
    assert found[0] == as_example(heard)
    assert len(found) == 2
    assert not found[1].finished


def test_what_is_wrong_is_said_before_the_first_step(texts, tmp_path):
    with pytest.raises(ConfigError, match=r"trainer\.devices 2: one process only"):
        train_end_of_turn(changed(tiny(texts, tmp_path / "run"), {"trainer.devices": 2}))
    with pytest.raises(DataError, match=r"train\.jsonl: no such file"):
        train_end_of_turn(tiny(tmp_path, tmp_path / "run"))
