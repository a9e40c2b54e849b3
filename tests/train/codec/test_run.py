"""Training of a tiny codec on tones: it learns, resumes exactly, and says of itself what it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from speech.errors import ConfigError, ModelError
from speech.models.codec_checkpoint import CodecCheckpoint, load_codec_checkpoint, save_codec_checkpoint
from speech.train.codec.run import train_codec
from speech.train.loop.averaging import average, snapshots
from speech.train.loop.callbacks import Metrics, read_metrics
from speech.train.loop.state import CHECKPOINT
from tests.changes import changed
from tests.tiny_codec import tiny_codec
from tests.train.codec.corpus import spoken, tiny

__all__ = ["spoken"]  # fixtures


@pytest.fixture(scope="module")
def whole(spoken, tmp_path_factory) -> Path:
    """A run of six steps over two epochs, the last three with discriminators, which nobody may change."""
    result = train_codec(tiny(spoken, tmp_path_factory.mktemp("whole") / "run"))
    assert result is not None
    return result


def steps(folder: Path) -> list[dict[str, float]]:
    """Losses of each step, without what depends on the clock."""
    rows = [row for row in read_metrics(folder / "metrics.jsonl") if "train/mel" in row]
    return [{name: row[name] for name in row if name == "step" or name.startswith("train/")} for row in rows]


def test_the_result_is_the_mean_of_the_last_snapshots(whole):
    found = load_codec_checkpoint(whole).model.state_dict()
    assert [path.stem for path in snapshots(whole.parent / "snapshots")] == ["00000004", "00000006"]
    wanted = average(snapshots(whole.parent / "snapshots"))
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value)


def test_discriminators_begin_when_they_are_told_to(whole):
    names = [row.keys() for row in steps(whole.parent)]
    assert ["train/discriminators" in row for row in names] == [False] * 3 + [True] * 3
    assert all({"train/adversarial", "train/features"} <= row for row in names[3:])


def test_every_validation_measures_distance_and_code_use(whole):
    rows = [row for row in read_metrics(whole.parent / "metrics.jsonl") if "dev/mel" in row]
    assert [row["step"] for row in rows] == [0, 3, 6]
    for row in rows:
        for name in ("used", "perplexity"):
            each = [row[f"dev/{name}_{number}"] for number in range(2)]
            assert row[f"dev/{name}"] == pytest.approx(sum(each) / 2, abs=1e-4)
        assert 1 <= row["dev/perplexity"] <= 12 * row["dev/used"] <= 12
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
            train_codec(config)
    assert torch.load(tmp_path / "cut" / CHECKPOINT, weights_only=True)["global_step"] == 4
    result = train_codec(config)
    assert result is not None
    assert steps(tmp_path / "cut") == steps(whole.parent)
    assert len(steps(whole.parent)) == 6
    expected, found = (load_codec_checkpoint(path).model.state_dict() for path in (whole, result))
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    ends = [torch.load(path / CHECKPOINT, weights_only=True)["state_dict"] for path in (tmp_path / "cut", whole.parent)]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[1])
    assert train_codec(config) == result  # a finished run is not repeated
    assert len(steps(tmp_path / "cut")) == 6


def test_it_learns(spoken, tmp_path):
    config = tiny(spoken, tmp_path / "run", max_steps=40, validate_every=40, checkpoint_every=40, average=0)
    config = changed(config, {"discriminators.begins": 36, "optimizer.lr": 1e-2})
    assert train_codec(config) is not None
    rows = [row for row in read_metrics(tmp_path / "run" / "metrics.jsonl") if "dev/mel" in row]
    assert rows[-1]["dev/mel"] < 0.75 * rows[0]["dev/mel"]
    assert rows[-1]["dev/stft"] < 0.8 * rows[0]["dev/stft"]


def test_a_decoder_is_trained_behind_an_encoder_that_stays(spoken, tmp_path):
    save_codec_checkpoint(tmp_path / "base", CodecCheckpoint(tiny_codec(), {}), card="# base\n")
    config = tiny(spoken, tmp_path / "run", max_steps=2, average=0)
    config = changed(config, {"start": str(tmp_path / "base"), "freeze_encoder": True})
    result = train_codec(config)
    assert result is not None
    before, after = (load_codec_checkpoint(path).model.state_dict() for path in (tmp_path / "base", result))
    for name, value in before.items():
        assert torch.equal(value, after[name]) == name.startswith(("encoder.", "quantizer.")), name
    assert "Its encoder is that of an earlier codec." in (result / "README.md").read_text()


def test_the_card_says_what_it_is_and_no_path_of_this_machine(whole, spoken):
    card, info = (whole / "README.md").read_text(), load_codec_checkpoint(whole).info
    assert "An audio codec at 8000 Hz: 100.0 frames/s of 2 codes out of 12, 0.72 kbit/s" in card
    assert "Trained for 6 steps, 3 of them with discriminators, on 0.0 h of speech in 2 languages" in card
    assert "| tones | CC0 |" in card
    assert (info["name"], info["steps"], info["discriminators_from"]) == ("tiny", 6, 3)
    assert info["hours"].keys() == {"deu", "eng"}
    assert f"| mel | {info['dev']['dev/mel']} |" in card
    assert {path.name for path in whole.iterdir()} == {
        "README.md", "config.json", "learning_curve.png", "metrics.jsonl", "model.safetensors",
    }  # fmt: skip
    for path in whole.iterdir():
        assert str(spoken).encode() not in path.read_bytes()
        assert str(whole).encode() not in path.read_bytes()
    record = json.loads((whole.parent / "config.json").read_text())
    assert record["config"]["model"]["quantizer"]["levels"] == [4, 3]


def test_what_cannot_be_trained_is_said_before_the_first_step(spoken, tmp_path):
    config = tiny(spoken, tmp_path / "run")
    with pytest.raises(ConfigError, match=r"trainer\.devices 2"):
        train_codec(changed(config, {"trainer.devices": 2}))
    save_codec_checkpoint(tmp_path / "base", CodecCheckpoint(tiny_codec(), {}), card="# base\n")
    config = changed(config, {"start": str(tmp_path / "base"), "model.decoder_layers": 3})
    with pytest.raises(ConfigError, match="has another shape than model"):
        train_codec(config)
    with pytest.raises(ModelError, match="no such model"):
        train_codec(changed(config, {"start": "nowhere"}))
    assert not (tmp_path / "run" / "config.json").exists()
