"""Training of the model that hears ends of turns, on turns that fall or rise."""

import json

import numpy as np
import pytest

from speech.errors import ConfigError
from speech.metrics.detection import roc_area
from speech.nn.turn_voice import TurnVoiceConfig
from speech.train.end_of_turn.voice import (
    TurnVoiceTrainConfig,
    combination_of,
    heard_log_odds,
    last_moment,
    train_turn_voice,
)
from speech.train.end_of_turn.voice_cuts import HeardTurn


def turn(number, rng):
    """A finished turn falls in pitch, another rises; both end with the same tone."""
    finished, length = bool(number % 2), 12_000
    slope = -0.04 if finished else 0.04
    step = np.concatenate([np.linspace(0.15 - slope, 0.15, length), np.full(1600, 0.15)])
    samples = 0.3 * np.sin(np.cumsum(step * rng.uniform(0.9, 1.1))) + 0.003 * rng.standard_normal(len(step))
    return HeardTurn(str(number), "eng", samples.astype(np.float32), finished, "some text")


@pytest.fixture(scope="module")
def turns():
    rng = np.random.default_rng(1)
    return [turn(number, rng) for number in range(80)], [turn(number, rng) for number in range(30)]


def test_what_can_be_heard_is_learnt(turns, tmp_path):
    train, dev = turns
    lines = []
    config = TurnVoiceTrainConfig(epochs=6, rows=16, lr=5e-3)
    network = train_turn_voice(train, dev, TurnVoiceConfig(width=24), config, tmp_path / "m.jsonl", lines.append)
    rows = [json.loads(line) for line in (tmp_path / "m.jsonl").read_text().splitlines()]
    assert [json.dumps(row) for row in rows] == lines
    assert [row["step"] for row in rows] == [5, 10, 15, 20, 25, 30]
    assert rows[-1]["train/entropy"] < rows[0]["train/entropy"]
    scores = np.array(heard_log_odds(network, dev))
    finished = np.array([own.finished for own in dev])
    assert roc_area(scores[finished], scores[~finished]) > 0.8


def test_ends_that_tell_the_turns_apart_are_found():
    def ending(number, loud):
        samples = 0.1 * np.random.default_rng(number).standard_normal(8000).astype(np.float32)
        samples[-800:] *= loud if number % 2 else 1.0
        return HeardTurn(str(number), "eng", samples, bool(number % 2))

    def area(loud):
        return last_moment(*([ending(number, loud) for number in numbers] for numbers in (range(80), range(80, 120))))

    assert area(0.1) > 0.95
    assert 0.2 < area(1.0) < 0.8


def test_the_better_judge_weighs_more():
    rng = np.random.default_rng(2)
    finished = [bool(number % 2) for number in range(200)]
    truth = np.where(finished, 1.0, -1.0)
    text, voice = truth + 4.0 * rng.standard_normal(200), truth + 0.5 * rng.standard_normal(200)
    found = combination_of(text.tolist(), voice.tolist(), finished)
    assert found.voice > 5 * abs(found.text)
    assert abs(found.bias) < 1.0


def test_wrong_settings_are_refused():
    with pytest.raises(ConfigError, match="epochs"):
        TurnVoiceTrainConfig(epochs=0)
