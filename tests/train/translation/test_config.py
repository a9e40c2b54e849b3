"""What the training of a policy can be told, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from speech.errors import ConfigError
from speech.train.asr.schema import built, register
from speech.train.translation.config import DelayLossConfig, TranslationConfig

CONF = Path(__file__).parents[3] / "conf"


def composed(*overrides: str) -> TranslationConfig:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("streaming_translation", overrides=["output=out", "data.root=corpus", *overrides])
    found = built(config)
    assert isinstance(found, TranslationConfig)
    return found


def test_the_recipe_composes_and_debug_is_short():
    config = composed()
    assert (config.base, config.name) == ("embedded", "streaming_translation")
    assert (config.label.translate, config.label.cut, config.label.nonspeech, config.label.context) == (1, 0, 0, 0)
    assert config.policy.shared
    assert not config.train_cross_attention
    assert composed("debug=default").trainer.max_steps <= 10


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("label.translate=0.5", "label.translate 0.5: a policy learns from complete translations alone"),
        ("label.cut=0.1", "label.cut 0.1"),
        ("label.nonspeech=0.1", "Give label.nonspeech=0"),
        ("label.context=0.1", "label.context 0.1"),
        ("label.synthetic=[a.jsonl]", "label.synthetic"),
        ("policy.pooling=0", "policy.pooling 0, expected at least 1"),
        ("delay_loss.latency=-1", "delay_loss.latency -1, expected at least 0"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(override, said):
    with pytest.raises(ConfigError) as error:
        composed(override)
    assert said in str(error.value)


def test_weights_refuse_it_when_they_are_built():
    with pytest.raises(ConfigError, match=r"delay_loss\.variance"):
        DelayLossConfig(variance=float("nan"))
