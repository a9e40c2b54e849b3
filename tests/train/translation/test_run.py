"""Training of a policy on made-up speech: it learns, resumes exactly, and decides for its own label model alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from speech.decode.label.joint import JointConfig
from speech.errors import ConfigError, ModelError
from speech.models.adapters.file import fingerprint
from speech.models.checkpoint import LabelCheckpoint, load_label_checkpoint, save_label_checkpoint
from speech.models.policy_file import POLICY, load_policy
from speech.train.loop.averaging import average, snapshots
from speech.train.loop.callbacks import Metrics, read_metrics
from speech.train.loop.config import ParallelStrategy
from speech.train.translation.run import label_folder, train_translation
from tests.changes import changed
from tests.tiny_hybrid import save_tiny_hybrid
from tests.tiny_whisper import tiny_label_tokenizer, tiny_whisper
from tests.train.translation.corpus import base, spoken, tiny

__all__ = ["base", "spoken"]  # fixtures


def losses(folder: Path) -> list[float]:
    return [row["train/text"] for row in read_metrics(folder / "metrics.jsonl") if "train/text" in row]


@pytest.fixture(scope="module")
def whole(base, spoken, tmp_path_factory) -> Path:
    """A run of six steps, which nobody may change."""
    result = train_translation(tiny(base, spoken, tmp_path_factory.mktemp("whole") / "run"))
    assert result is not None
    return result


def test_the_result_is_the_mean_of_the_last_snapshots_and_names_its_base(base, whole):
    found = load_policy(whole, fingerprint(base))
    wanted = average(snapshots(whole.parent / "snapshots"))
    for name, value in found.network.state_dict().items():
        torch.testing.assert_close(value, wanted[f"policy.{name}"], atol=1e-6, rtol=1e-5)
    assert (found.network.dim, found.network.layers, found.network.heads) == (32, 2, 4)
    assert "trained for 6 steps with latency weight 0.5" in found.card
    assert "on 0.0 h of speech in 1 languages" in found.card
    assert "| noise | CC0 |" in found.card
    assert str(base).encode() not in whole.read_bytes()
    assert (whole.parent / "learning_curve.png").stat().st_size > 5000
    rows = [row for row in read_metrics(whole.parent / "metrics.jsonl") if "dev/text" in row]
    assert rows[0].keys() >= {"dev/text", "dev/lagging", "dev/lagging_s", "dev/variance", "dev/offline", "dev/loss"}


class Killed(Exception):
    pass


def test_a_killed_run_resumes_to_the_same_losses_and_weights(base, spoken, whole, tmp_path, monkeypatch):
    original = Metrics.on_train_batch_end

    def die(self, trainer, *rest):
        original(self, trainer, *rest)
        if trainer.global_step == 5:
            raise Killed

    config = tiny(base, spoken, tmp_path / "cut")
    with monkeypatch.context() as patch:
        patch.setattr(Metrics, "on_train_batch_end", die)
        with pytest.raises(Killed):
            train_translation(config)
    result = train_translation(config)
    assert result is not None
    assert losses(tmp_path / "cut") == losses(whole.parent)
    assert len(losses(whole.parent)) == 6
    expected, found = (load_policy(path).network.state_dict() for path in (whole, result))
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    again = train_translation(config)  # a finished run is not repeated
    assert again is not None
    assert len(losses(tmp_path / "cut")) == 6


def test_it_learns_to_write_sooner_where_that_is_asked_for(base, spoken, tmp_path):
    config = tiny(base, spoken, tmp_path / "run", max_steps=60, validate_every=20, checkpoint_every=60, average=0)
    config = changed(config, {"delay_loss.latency": 3.0})
    assert train_translation(config) is not None
    rows = [row for row in read_metrics(tmp_path / "run" / "metrics.jsonl") if "dev/loss" in row]
    assert [row["step"] for row in rows] == [0, 20, 40, 60]
    assert rows[-1]["dev/loss"] < rows[0]["dev/loss"] - 0.5
    assert rows[-1]["dev/lagging"] < 0.5 * rows[0]["dev/lagging"]


def test_a_run_distils_alignatt_first_and_a_second_run_starts_from_its_policy(base, spoken, tmp_path):
    first = changed(
        tiny(base, spoken, tmp_path / "first", average=0),
        {"distillation.steps": 4, "distillation.margin_s": 0.1},
    )
    policy = train_translation(first)
    assert policy is not None
    rows = read_metrics(tmp_path / "first" / "metrics.jsonl")
    assert min(row["step"] for row in rows if "train/cut" in row) == 1
    assert min(row["step"] for row in rows if "train/text" in row) == 5
    rows = [row for row in rows if "dev/text" in row]
    assert "the first 4 of them on AlignAtt's decisions with a margin of 0.1 s" in load_policy(policy).card
    second = changed(tiny(base, spoken, tmp_path / "second", max_steps=1), {"start": str(policy)})
    assert train_translation(second) is not None
    began = next(row for row in read_metrics(tmp_path / "second" / "metrics.jsonl") if "dev/text" in row)
    assert began["dev/text"] == pytest.approx(rows[-1]["dev/text"], rel=1e-4)
    with pytest.raises(ConfigError, match="expected PolicyConfig"):
        train_translation(changed(second, {"policy.depth": 1, "output": str(tmp_path / "third")}))


def test_a_model_without_alignment_heads_is_refused_as_a_teacher(spoken, tmp_path):
    model = tiny_whisper()
    model.config.true_length, model.config.alignment_heads = True, []
    save_label_checkpoint(tmp_path / "base", LabelCheckpoint(model, tiny_label_tokenizer(), {}), card="# base\n")
    config = changed(tiny(tmp_path / "base", spoken, tmp_path / "run"), {"distillation.steps": 2})
    with pytest.raises(ConfigError, match="has no alignment heads to distil from"):
        train_translation(config)


def test_trained_cross_attention_makes_a_label_model_that_the_policy_belongs_to(base, spoken, tmp_path):
    config = changed(
        tiny(base, spoken, tmp_path / "run", max_steps=2), {"train_cross_attention": True, "cross_lr": 1.0}
    )
    result = train_translation(config)
    assert result == tmp_path / "run" / "model" / POLICY
    load_policy(result, fingerprint(result.parent))
    with pytest.raises(ModelError, match="another label model"):
        load_policy(result, fingerprint(base))
    before, after = (load_label_checkpoint(path).model.state_dict() for path in (base, result.parent))
    moved = {name.split(".")[3] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"cross", "cross_norm"}


def test_a_hybrid_gives_its_label_model(tmp_path, base):
    save_tiny_hybrid(tmp_path / "hybrid", JointConfig())
    assert label_folder(tmp_path / "hybrid") == tmp_path / "hybrid" / "label"
    assert label_folder(base) == base


def test_what_cannot_be_trained_is_said_before_the_first_step(base, spoken, tmp_path):
    config = tiny(base, spoken, tmp_path / "run")
    with pytest.raises(ConfigError, match="base is not set"):
        train_translation(changed(config, {"base": ""}))
    with pytest.raises(ConfigError, match="fsdp"):
        train_translation(changed(config, {"trainer.strategy": ParallelStrategy.fsdp}))
    with pytest.raises(ConfigError, match="no utterance of train has a translation into eng"):
        train_translation(changed(config, {"data.languages": ["eng"]}))
    published = tmp_path / "published"
    save_label_checkpoint(published, LabelCheckpoint(tiny_whisper(), tiny_label_tokenizer(), {}), card="")
    with pytest.raises(ConfigError, match="needs audio padded to 30 s"):
        train_translation(changed(config, {"base": str(published)}))
