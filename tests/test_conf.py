"""Every experiment composes into a valid configuration and a model; the options a user sees are frozen."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException

from speech.errors import ConfigError
from speech.models.checkpoint import build_empty
from speech.ranges import check
from speech.text.vocabulary import Vocabulary
from speech.train.adapters.config import AdaptConfig
from speech.train.asr.config import TrainConfig
from speech.train.asr.schema import built, register
from speech.train.codec.config import CodecTrainConfig
from speech.train.label.config import LabelConfig
from speech.train.loop.config import Accelerator, TrainerConfig
from speech.train.loop.distributed import Sharded, strategy
from speech.train.loop.run import check_devices
from speech.train.speech_lm.config import SpeechLmTrainConfig
from speech.train.translation.config import TranslationConfig
from speech.train.watermark.config import WatermarkTrainConfig

CONF = Path(__file__).parent.parent / "conf"
EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))


def composed(*overrides: str) -> TrainConfig:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("owsm_ctc", overrides=["output=out", "name=test", "data.root=corpus", *overrides])
    return built(config)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_builds_its_model(experiment):
    config = composed(f"experiment={experiment}")
    pieces = [f"p{n}" for n in range(config.tokenizer.size - (179 if experiment == "owsm_ctc_v4_1B" else 0))]
    targets = config.data.st_targets or [f"t{n}" for n in range(25)]
    vocabulary = Vocabulary.build([f"l{n}" for n in range(151)], targets, pieces, config.model.prompt is not None)
    model = build_empty(config.model, vocabulary)
    millions = sum(p.numel() for p in model.parameters()) / 1e6
    if experiment == "owsm_ctc_v4_1B":
        assert len(vocabulary) == 50002
        assert millions == pytest.approx(1011.342, abs=0.001)
        assert (config.loss.inter, config.optimizer.lr, config.model.inter_layers) == (0.8, 2.5e-4, [6, 12, 15, 21])
    else:
        assert millions < 30


TRAINERS = {
    "cpu": ("cpu", 1, "auto", "auto"),
    "gpu": ("gpu", 1, "auto", "bfloat16"),
    "ddp": ("auto", 2, "ddp", "bfloat16"),
    "fsdp": ("auto", 8, "fsdp", "bfloat16"),
}
"""Name of a file -> device, processes, how they share the work, and numbers, each as training is to have it."""


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONF / "trainer").glob("*.yaml")))
def test_every_trainer_is_what_its_name_says(name):
    trainer = composed(f"trainer={name}").trainer
    assert (trainer.accelerator, trainer.devices, trainer.strategy, trainer.precision) == TRAINERS[name]
    found = strategy(trainer)
    assert found == {"cpu": "auto", "gpu": "auto", "ddp": "ddp_find_unused_parameters_true"}.get(name, found)
    assert isinstance(found, Sharded) == (name == "fsdp")


@pytest.mark.parametrize("override", ["trainer.accelerator=tpuu", "trainer.strategy=magic", "trainer.precision=int3"])
def test_devices_and_strategies_that_are_none_are_refused(override):
    with pytest.raises(ConfigCompositionException, match=override.split("=")[0].split(".")[1]):
        composed(override)


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    check_devices(TrainerConfig(accelerator=Accelerator.gpu, devices=2))
    check_devices(TrainerConfig(accelerator=Accelerator.cpu, devices=9))
    with pytest.raises(ConfigError, match=r"trainer\.accelerator cuda, trainer\.devices 3: this machine has 2"):
        check_devices(TrainerConfig(accelerator=Accelerator.cuda, devices=3))
    with pytest.raises(ConfigError, match="this machine has 0"):
        check_devices(TrainerConfig(accelerator=Accelerator.mps, devices=1))


def numbers(config: object, path: str = "") -> Iterator[tuple[object, dataclasses.Field, str]]:
    """Every field that holds a number or a list of numbers: its owner, itself, and its path."""
    for field in dataclasses.fields(config):  # type: ignore[arg-type]
        value, where = getattr(config, field.name), f"{path}.{field.name}" if path else field.name
        if dataclasses.is_dataclass(value):
            yield from numbers(value, where)
        elif re.search(r"\b(int|float)\b", str(field.type)):
            yield config, field, where


BELOW_0 = {
    "data.augment.noise_snr_db": "decibels: noise may be louder than speech",
    "policy.bias": "a logit: below 0 it waits",
}
"""Paths of fields that may be -1, and why."""


@pytest.mark.parametrize(
    "make", ["whole", "published", "adapters", "switching", "label", "translation", "codec", "tts", "watermark"]
)
def test_no_number_is_accepted_that_is_not_finite_or_makes_no_sense(make):
    config = {
        "whole": lambda: composed("experiment=foundation_whole"),
        "published": lambda: composed("experiment=owsm_ctc_v4_1B"),
        "adapters": lambda: adapting("language=ita"),
        "switching": switching,
        "label": labelling,
        "translation": translating,
        "codec": coding,
        "tts": speaking,
        "watermark": marking,
    }[make]()
    found = list(numbers(config))
    assert len(found) > 50
    check(config)
    for owner, field, path in found:
        before = getattr(owner, field.name)
        for bad in (float("nan"), float("inf"), -float("inf"), *([] if path in BELOW_0 else [-1])):
            value = [bad, bad] if "list" in str(field.type) else bad
            object.__setattr__(owner, field.name, value)  # they are frozen
            with pytest.raises(ConfigError) as error:
                check(config)
            assert str(error.value).startswith(path), (path, bad)
            object.__setattr__(owner, field.name, before)
            if owner is not config:  # parts also refuse it when they are built
                with pytest.raises(ConfigError) as error:
                    dataclasses.replace(owner, **{field.name: value})  # type: ignore[type-var]
                assert path in str(error.value), (path, bad)
    check(config)


def test_a_start_is_chosen_by_name_whatever_the_experiment():
    assert composed("experiment=quickstart").init.checkpoint == "embedded"
    assert composed("experiment=foundation").init.whisper == "openai/whisper-base"
    for experiment in EXPERIMENTS:
        init = composed(f"experiment={experiment}", "init=scratch").init
        assert not init.whisper
        assert not init.checkpoint


@pytest.mark.parametrize(
    "override", ["model.encoder.layers=abc", "+model.encoder.nope=1", "optimizer.lrr=1", "data.mixing=none"]
)
def test_mistakes_are_refused_at_composition(override):
    with pytest.raises(
        (ConfigCompositionException, AttributeError), match=override.lstrip("+").split("=")[0].split(".")[-1]
    ):
        composed(override)


def test_a_language_that_is_no_code_is_refused():
    with pytest.raises(ConfigError, match="Write 'deu'"):
        composed("data.languages=[German]")
    assert composed("data.languages=['nan','deu']").data.languages == ["nan", "deu"]


def test_debug_is_short():
    trainer = composed("experiment=foundation", "debug=default").trainer
    assert trainer.max_steps <= 10
    assert max(trainer.validate_every, trainer.checkpoint_every, trainer.average_every) <= trainer.max_steps
    assert composed("experiment=foundation").trainer.max_steps > 1000


def test_options_of_the_root_are_frozen():
    assert sorted(TrainConfig.__dataclass_fields__) == [
        "chunk", "data", "evaluate", "init", "loss", "model", "name", "optimizer", "output", "resume", "seed",
        "storage", "tokenizer", "trainer",
    ]  # fmt: skip


def adapting(*overrides: str) -> AdaptConfig:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("language_adapters", overrides=["output=out", "data.root=corpus", *overrides])
    return built(config)


def test_adapters_are_asked_for_by_language():
    assert adapting("language=lad").languages == ["lad"]
    assert adapting("language=[lad,gla]", "method=lora", "start=random").languages == ["lad", "gla"]
    with pytest.raises(ConfigCompositionException, match="method"):
        adapting("language=lad", "method=magic")
    with pytest.raises(AttributeError, match="learning"):
        adapting("+learning=1")


def switching(*overrides: str) -> TrainConfig:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("code_switching", overrides=["output=out", "data.root=corpus", *overrides])
    return built(config)


def test_code_switched_speech_is_learnt_beside_a_corpus(monkeypatch):
    monkeypatch.delenv("SPEECH_SWITCHED", raising=False)
    config = switching()
    assert config.data.also == ["runs/code_switched/train.jsonl"]
    assert config.init.checkpoint == "embedded"
    assert not config.init.encoder_only
    assert config.loss.language > 0
    monkeypatch.setenv("SPEECH_SWITCHED", "/elsewhere")
    assert switching("data.also_times=3", "debug=default").data.also == ["/elsewhere/train.jsonl"]
    assert switching("data.also=[]").data.also == []
    with pytest.raises(ConfigError, match="also_times 0, expected at least 1"):
        switching("data.also_times=0")


def labelling() -> LabelConfig:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("hybrid", overrides=["output=out", "data.root=corpus", "base=base"])
    return built(config)


def translating() -> TranslationConfig:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("streaming_translation", overrides=["output=out", "data.root=corpus"])
    return built(config)


def coding() -> CodecTrainConfig:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("codec", overrides=["output=out", "data.root=corpus"])
    return built(config)


def speaking() -> SpeechLmTrainConfig:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("tts", overrides=["output=out", "data.root=corpus", "codec=codec"])
    return built(config)


def marking() -> WatermarkTrainConfig:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("watermark", overrides=["output=out", "data.root=corpus"])
    return built(config)


def test_an_unknown_experiment_is_named():
    with pytest.raises(ConfigCompositionException, match="nothing"):
        composed("experiment=nothing")
