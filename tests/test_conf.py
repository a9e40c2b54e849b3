"""Every experiment composes into a valid configuration and a model; the options a user sees are frozen."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException
from omegaconf import OmegaConf

from speech.models.checkpoint import build_empty
from speech.text.tokens import Vocabulary
from speech.train.adapt_config import AdaptConfig
from speech.train.config import TrainConfig
from speech.train.schema import register

CONF = Path(__file__).parent.parent / "conf"
EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))


def composed(*overrides: str) -> TrainConfig:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("owsm_ctc", overrides=["output=out", "name=test", "data.root=corpus", *overrides])
    return OmegaConf.to_object(config)  # type: ignore[return-value]


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


@pytest.mark.parametrize("trainer", ["cpu", "gpu", "ddp", "fsdp"])
def test_every_trainer_composes(trainer):
    assert composed(f"trainer={trainer}").trainer.devices >= 1


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
    with pytest.raises(Exception, match=override.lstrip("+").split("=")[0].split(".")[-1]):
        composed(override)


def test_a_language_that_is_no_code_is_refused():
    with pytest.raises(Exception, match="deu"):
        composed("data.languages=[German]")
    assert composed("data.languages=['nan','deu']").data.languages == ["nan", "deu"]


def test_debug_is_short():
    assert composed("debug=default").trainer.max_steps <= 10


def test_options_of_the_root_are_frozen():
    assert sorted(TrainConfig.__dataclass_fields__) == [
        "chunk", "data", "evaluate", "init", "loss", "model", "name", "optimizer", "output", "resume", "seed",
        "storage", "tokenizer", "trainer",
    ]  # fmt: skip


def adapting(*overrides: str) -> AdaptConfig:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("language_adapters", overrides=["output=out", "data.root=corpus", *overrides])
    return OmegaConf.to_object(config)  # type: ignore[return-value]


def test_adapters_are_asked_for_by_language():
    assert adapting("language=lad").languages == ["lad"]
    assert adapting("language=[lad,gla]", "method=lora", "start=random").languages == ["lad", "gla"]
    with pytest.raises(Exception, match="method"):
        adapting("language=lad", "method=magic")
    with pytest.raises(Exception, match="learning"):
        adapting("+learning=1")


def switching(*overrides: str) -> TrainConfig:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("code_switching", overrides=["output=out", "data.root=corpus", *overrides])
    return OmegaConf.to_object(config)  # type: ignore[return-value]


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
    with pytest.raises(Exception, match="also_times"):
        switching("data.also_times=0")


def test_an_unknown_experiment_is_named():
    with pytest.raises(ConfigCompositionException, match="nothing"):
        composed("experiment=nothing")
