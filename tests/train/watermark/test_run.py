"""Training of a tiny watermark on tones: it resumes exactly, sets its threshold, and says of itself what it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from speech.errors import ConfigError
from speech.models.watermark_checkpoint import load_watermark_checkpoint
from speech.train.loop.averaging import average, snapshots
from speech.train.loop.callbacks import Metrics, read_metrics
from speech.train.loop.state import CHECKPOINT
from speech.train.watermark.run import train_watermark
from tests.changes import changed
from tests.train.codec.corpus import spoken
from tests.train.watermark.corpus import tiny

__all__ = ["spoken"]  # fixtures


@pytest.fixture(scope="module")
def whole(spoken, tmp_path_factory) -> Path:
    """A run of six steps over two epochs, which nobody may change."""
    result = train_watermark(tiny(spoken, tmp_path_factory.mktemp("whole") / "run"))
    assert result is not None
    return result


def steps(folder: Path) -> list[dict[str, float]]:
    """Losses of each step, without what depends on the clock."""
    rows = [row for row in read_metrics(folder / "metrics.jsonl") if "train/presence" in row]
    return [{name: row[name] for name in row if name == "step" or name.startswith("train/")} for row in rows]


def test_the_result_is_the_mean_of_the_last_snapshots(whole):
    found = load_watermark_checkpoint(whole).model.state_dict()
    wanted = average(snapshots(whole.parent / "snapshots"))
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value)


def test_every_validation_measures_detection_and_level(whole):
    rows = [row for row in read_metrics(whole.parent / "metrics.jsonl") if "dev/presence" in row]
    assert [row["step"] for row in rows] == [0, 3, 6]
    for row in rows:
        assert 0 <= row["dev/frames_right"] <= 1
        assert 0 <= row["dev/bits_right"] <= 1
        assert 10 < row["dev/snr"] < 40
    assert (whole.parent / "learning_curve.png").stat().st_size > 5000


class Killed(Exception):
    pass


def test_a_killed_run_resumes_to_the_same_weights(spoken, whole, tmp_path, monkeypatch):
    original = Metrics.on_train_batch_end

    def die(self, trainer, *rest):
        original(self, trainer, *rest)
        if trainer.global_step == 5:
            raise Killed

    config = tiny(spoken, tmp_path / "cut")
    with monkeypatch.context() as patch:
        patch.setattr(Metrics, "on_train_batch_end", die)
        with pytest.raises(Killed):
            train_watermark(config)
    assert torch.load(tmp_path / "cut" / CHECKPOINT, weights_only=True)["global_step"] == 4
    result = train_watermark(config)
    assert result is not None
    assert steps(tmp_path / "cut") == steps(whole.parent)
    assert len(steps(whole.parent)) == 6
    expected, found = (load_watermark_checkpoint(path) for path in (whole, result))
    for name, value in expected.model.state_dict().items():
        assert torch.equal(value, found.model.state_dict()[name])
    assert expected.threshold == found.threshold


def test_it_learns(spoken, tmp_path):
    config = tiny(spoken, tmp_path / "run", max_steps=40, validate_every=40, checkpoint_every=40, average=0)
    assert train_watermark(changed(config, {"optimizer.lr": 1e-2, "attacks.share": 0.0})) is not None
    rows = [row for row in read_metrics(tmp_path / "run" / "metrics.jsonl") if "dev/presence" in row]
    assert rows[-1]["dev/loss"] < 0.8 * rows[0]["dev/loss"]


def test_the_card_names_threshold_and_limits_and_no_path_of_this_machine(whole, spoken):
    card, loaded = (whole / "README.md").read_text(), load_watermark_checkpoint(whole)
    assert "An audio watermark at 8000 Hz with 16 bits" in card
    assert f"of {loaded.threshold.recordings} unmarked recordings of 0.5 s on average" in card
    assert 0 <= loaded.threshold.false_alarms <= 0.1
    assert loaded.threshold.recordings == 16  # eight utterances of half a second, twice each
    assert loaded.threshold.windows == 16
    assert "determined enough, can remove it" in card
    assert "| tones | CC0 |" in card
    assert loaded.info["hours"].keys() == {"deu", "eng"}
    assert {path.name for path in whole.iterdir()} == {
        "README.md", "config.json", "learning_curve.png", "metrics.jsonl", "model.safetensors",
    }  # fmt: skip
    for path in whole.iterdir():
        assert str(spoken).encode() not in path.read_bytes()
    record = json.loads((whole.parent / "config.json").read_text())
    assert record["config"]["model"]["bands"] == 40


def test_what_cannot_be_trained_is_said_before_the_first_step(spoken, tmp_path):
    config = tiny(spoken, tmp_path / "run")
    with pytest.raises(ConfigError, match=r"trainer\.devices 2"):
        train_watermark(changed(config, {"trainer.devices": 2}))
    assert not (tmp_path / "run" / "config.json").exists()
