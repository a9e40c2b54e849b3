"""Training on a tiny real-format corpus: it learns, resumes exactly, averages, draws, and its result loads."""

import json
import shutil
from pathlib import Path

import lightning as L
import pytest
import torch
from safetensors.torch import load_file

from speech import Recognizer
from speech.data.manifest import read_manifest
from speech.data.plan import BatchConfig
from speech.errors import ConfigError, DataError
from speech.models.checkpoint import Storage, load_checkpoint
from speech.models.owsm_ctc import FrontEnd, OwsmCtcConfig
from speech.nn.encoder.whisper import WhisperEncoderConfig
from speech.train.asr.config import (
    ChunkConfig,
    DataConfig,
    InitConfig,
    OptimizerConfig,
    TokenizerConfig,
    TrainConfig,
    TrainerConfig,
)
from speech.train.asr.init import build_model, build_tokenizer
from speech.train.asr.run import TrainResult, train
from speech.train.loop.callbacks import Metrics, read_metrics
from tests.changes import changed


def tiny(corpus: Path, output: Path, **trainer: object) -> TrainConfig:
    encoder = WhisperEncoderConfig(dim=48, layers=2, heads=4, hidden=96, period=600, reduce_after=1)
    settings = {"max_steps": 8, "validate_every": 4, "checkpoint_every": 2, "average_every": 2, "average": 2}
    return TrainConfig(
        name="tiny",
        output=str(output),
        model=OwsmCtcConfig(
            encoder=encoder,
            front_end=FrontEnd.whisper,
            inter_layers=[1],
            inter_transcript=1,
            inter_norm=True,
            target_prefix=False,
            language_head=True,
            prompt_dim=8,
        ),
        data=DataConfig(
            root=str(corpus), batches=BatchConfig(batch_s=20.0, max_s=5.0, concatenate_max_s=4.0), workers=0
        ),
        tokenizer=TokenizerConfig(size=40),
        chunk=ChunkConfig(sizes=[8, 16], left_context=32),
        optimizer=OptimizerConfig(lr=3e-3, warmup=4),
        trainer=TrainerConfig(**(settings | {"progress": False, "accelerator": "cpu"} | trainer)),
    )


@pytest.fixture(scope="module")
def whole(corpus, tmp_path_factory) -> TrainResult:
    """A run of eight steps, which nobody may change."""
    result = train(tiny(corpus, tmp_path_factory.mktemp("whole") / "run"))
    assert result is not None
    return result


def untrained(config: TrainConfig, corpus: Path) -> dict[str, torch.Tensor]:
    """The parameters that a run begins with."""
    utterances = read_manifest(corpus / "train.jsonl", corpus)
    L.seed_everything(config.seed, verbose=False)
    return build_model(config, build_tokenizer(config, utterances), utterances).state_dict()


def trained(config: TrainConfig) -> dict[str, torch.Tensor]:
    """The parameters that a run ends with."""
    result = train(config)
    assert result is not None
    return load_checkpoint(result.checkpoint).model.state_dict()


def test_a_run_leaves_a_model_that_transcribes_a_curve_a_card_and_a_table(corpus, whole):
    folder = whole.checkpoint.parent
    assert whole.table is not None
    assert set(whole.table.rows) == {"deu", "eng"}
    assert (folder / "learning_curve.png").stat().st_size > 5000
    assert "CC0" in (whole.checkpoint / "README.md").read_text()
    assert Recognizer.from_pretrained(str(whole.checkpoint)).transcribe(corpus / "test0.wav").duration_s == 0.8
    assert json.loads((folder / "config.json").read_text())["config"]["seed"] == 1
    assert not list(folder.rglob(".*partial"))


def test_it_learns(corpus, tmp_path):
    config = tiny(corpus, tmp_path / "run", max_steps=200, validate_every=50, checkpoint_every=200, average_every=100)
    config = changed(
        config,
        {
            "evaluate": False,
            "data.augment": None,
            "data.batches.concatenate_probability": 0.0,
            "chunk.probability": 0.0,
            "loss.time_masks": 0,
            "loss.freq_masks": 0,
        },
    )
    train(config)
    losses = [row["dev/final"] for row in read_metrics(tmp_path / "run" / "metrics.jsonl") if "dev/final" in row]
    assert losses[-1] < 0.4 * losses[0]


class Killed(Exception):
    pass


def test_a_killed_run_resumes_to_the_same_result(corpus, whole, tmp_path, monkeypatch):
    expected = whole.checkpoint
    original = Metrics.on_train_batch_end

    def die(self, trainer, *rest):
        original(self, trainer, *rest)
        if trainer.global_step == 5:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Metrics, "on_train_batch_end", die)
        with pytest.raises(Killed):
            train(tiny(corpus, tmp_path / "cut"))
    resumed = train(tiny(corpus, tmp_path / "cut")).checkpoint
    a, b = load_file(expected / "model.safetensors"), load_file(resumed / "model.safetensors")
    assert all(torch.equal(a[key], b[key]) for key in a)
    steps = [row["step"] for row in read_metrics(tmp_path / "cut" / "metrics.jsonl")]
    assert steps == sorted(steps)


def test_a_finished_run_is_not_repeated_and_an_old_one_not_overwritten(corpus, whole, tmp_path):
    shutil.copytree(whole.checkpoint.parent, tmp_path / "run")
    (tmp_path / "run" / "metrics.jsonl").write_text('{"step": 8, "train/final": 0.125}\n')  # a step would add a line
    config = tiny(corpus, tmp_path / "run")
    again = train(config)
    assert again is not None
    assert again.table == whole.table
    assert read_metrics(tmp_path / "run" / "metrics.jsonl") == [{"step": 8, "train/final": 0.125}]
    config = changed(config, {"resume": False})
    with pytest.raises(ConfigError, match="holds a run"):
        train(config)


def test_a_run_starts_from_a_checkpoint_or_its_encoder_alone(corpus, whole, tmp_path):
    source = load_checkpoint(whole.checkpoint).model.state_dict()
    config = tiny(corpus, tmp_path / "encoder")
    config = changed(
        config,
        {"init": InitConfig(checkpoint=str(whole.checkpoint), encoder_only=True), "tokenizer.size": 18, "seed": 5},
    )
    (tmp_path / "encoder").mkdir()
    found = untrained(config, corpus)
    encoder = [key for key in source if key.startswith(("encoder.", "feature_"))]
    assert len(encoder) > 20
    assert all(torch.equal(found[key], source[key]) for key in encoder)
    assert found["ctc.linear.weight"].shape[0] < source["ctc.linear.weight"].shape[0]  # a tokenizer of its own
    assert not torch.equal(found["embed_proj.weight"], source["embed_proj.weight"])
    config = changed(config, {"init": InitConfig()})
    other = untrained(config, corpus)
    assert not torch.equal(other[f"{FIRST}.weight"], source[f"{FIRST}.weight"])

    config = tiny(corpus, tmp_path / "all", max_steps=1, average_every=1)
    config = changed(
        config, {"init": InitConfig(checkpoint=str(whole.checkpoint)), "optimizer": STILL, "evaluate": False}
    )
    found = trained(config)
    assert found.keys() == source.keys()
    for key, value in source.items():
        torch.testing.assert_close(found[key], value, atol=1e-3, rtol=0, msg=key)  # float16 on disk, twice


FIRST = "encoder.layers.0.feed_forward.up"
STILL = OptimizerConfig(lr=1e-9, warmup=1, weight_decay=0.0)
"""With this, nothing moves that float16 would show."""


def test_frozen_layers_stay_and_others_move(corpus, tmp_path):
    config = tiny(corpus, tmp_path / "a", max_steps=2, average_every=2)
    config = changed(config, {"optimizer.frozen_layers": 1, "storage": Storage.float32, "evaluate": False})
    moved, start = trained(config), untrained(config, corpus)
    key = "encoder.layers.{}.feed_forward.up.weight"
    assert torch.equal(moved[key.format(0)], start[key.format(0)])
    assert not torch.equal(moved[key.format(1)], start[key.format(1)])


def test_while_the_heads_learn_first_the_encoder_rests(corpus, tmp_path):
    for name, heads_first, moves in (("rest", 3, False), ("go", 2, True)):
        config = tiny(corpus, tmp_path / name, max_steps=3, average=1, average_every=1)
        config = changed(config, {"optimizer.heads_first": heads_first, "storage": Storage.float32, "evaluate": False})
        after, before = trained(config), untrained(config, corpus)
        for key in ("encoder.layers.0.feed_forward.up.weight", "encoder.norm.weight"):
            assert torch.equal(after[key], before[key]) != moves, (name, key)
        assert not torch.equal(after["ctc.linear.weight"], before["ctc.linear.weight"])


def test_missing_data_is_said_before_anything_runs(corpus, tmp_path):
    config = tiny(corpus, tmp_path / "run")
    config = changed(config, {"data.languages": ["fra"]})
    with pytest.raises(DataError, match="no utterance"):
        train(config)
    config = changed(config, {"data.root": ""})
    with pytest.raises(ConfigError, match=r"data\.root"):
        train(config)
