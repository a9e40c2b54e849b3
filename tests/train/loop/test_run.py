"""What the record in a run's folder says is what the run used, whatever the task; and configurations are frozen."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from speech.audio.augment import AugmentConfig
from speech.data.plan import BatchConfig
from speech.train.adapters.config import AdaptConfig
from speech.train.adapters.run import taking_turns
from speech.train.asr.config import DataConfig, InitConfig, RunConfig, TrainConfig
from speech.train.asr.run import train
from speech.train.label.config import LabelConfig
from speech.train.loop import run as loop
from speech.train.loop.averaging import save_snapshot
from speech.train.loop.config import OptimizerConfig, TrainerConfig
from speech.train.loop.module import TrainModule
from tests.changes import changed
from tests.train.adapters.test_run import settings
from tests.train.asr.test_run import tiny


@pytest.fixture
def used(monkeypatch) -> list[Any]:
    """The configuration that each trainer, and each module that it trained, was made of."""
    found: list[Any] = []
    original = loop.build_trainer

    def build(config, output, interruption):
        trainer = original(config, output, interruption)
        found.append(config)
        assert trainer.max_steps == config.trainer.max_steps
        assert trainer.accumulate_grad_batches == config.trainer.accumulate
        return trainer

    def start(module: TrainModule) -> None:
        found.append(module.config)

    monkeypatch.setattr(loop, "build_trainer", build)
    monkeypatch.setattr(TrainModule, "on_fit_start", start)
    return found


def recorded(output: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((output / loop.RECORD).read_text())["config"]
    return found


def as_json(config: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return found


def test_a_run_from_a_checkpoint_records_the_model_of_the_checkpoint(corpus, tmp_path, used):
    config = tiny(corpus, tmp_path / "first", max_steps=1, validate_every=1, average_every=1)
    first = train(changed(config, {"evaluate": False}))
    assert first is not None
    again = {
        "output": str(tmp_path / "second"),
        "evaluate": False,
        "init": InitConfig(checkpoint=str(first.checkpoint)),
    }
    train(changed(config, again | {"model.prompt_dim": 16}))
    assert len(used) == 4
    assert recorded(tmp_path / "first") == as_json(used[0]) == as_json(used[1])
    assert recorded(tmp_path / "second") == as_json(used[2]) == as_json(used[3])
    assert recorded(tmp_path / "second")["model"]["prompt_dim"] == 8


@pytest.mark.parametrize(("shared", "steps", "accumulate"), [(False, 4, 2), (True, 8, 1)])
def test_languages_that_take_turns_are_recorded_as_they_do(tmp_path, shared, steps, accumulate):
    config = settings(tmp_path, tmp_path, tmp_path, ["deu", "ita"])
    found = taking_turns(config, shared=shared)
    loop.record_config(found, tmp_path)
    trainer = recorded(tmp_path)["trainer"]
    assert (trainer["max_steps"], trainer["validate_every"], trainer["accumulate"]) == (steps, steps // 2, accumulate)
    assert (config.trainer.max_steps, config.trainer.accumulate) == (4, 1)


@pytest.mark.parametrize(
    "kind",
    [TrainConfig, AdaptConfig, LabelConfig, RunConfig, DataConfig, BatchConfig, OptimizerConfig, TrainerConfig],
)
def test_configurations_are_frozen_with_all_that_is_theirs(kind):
    assert kind.__dataclass_params__.frozen
    for field in dataclasses.fields(kind):
        inner = field.default_factory() if field.default_factory is not dataclasses.MISSING else None
        if dataclasses.is_dataclass(inner) and not isinstance(inner, AugmentConfig):
            assert type(inner).__dataclass_params__.frozen, field.name


def test_no_snapshots_have_no_mean(tmp_path):
    assert loop.averaged(TrainerConfig(average=2), tmp_path) is None
    layer = nn.Linear(1, 1)
    save_snapshot(layer, tmp_path / "snapshots", 1, keep=2)
    mean = loop.averaged(TrainerConfig(average=2), tmp_path)
    assert mean is not None
    assert mean["weight"].tolist() == layer.weight.tolist()
    assert loop.averaged(TrainerConfig(average=0), tmp_path) is None
