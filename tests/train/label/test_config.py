"""What the training of a label decoder can be told, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from speech.errors import ConfigError
from speech.train.asr.schema import register
from speech.train.label.config import LabelConfig, LabelDataConfig, LabelLossConfig

CONF = Path(__file__).parents[3] / "conf"


def composed(*overrides: str) -> LabelConfig:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("hybrid", overrides=["output=out", "data.root=corpus", *overrides])
    found = OmegaConf.to_object(config)
    assert isinstance(found, LabelConfig)
    return found


def test_the_recipe_composes_and_debug_is_short():
    config = composed("base=somewhere")
    assert (config.base, config.name, config.data.workers) == ("somewhere", "hybrid", 0)
    assert config.trainer.max_steps > 1000
    assert config.label.joined_s == [8.0, 28.0]
    assert composed("debug=default").trainer.max_steps <= 10


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("label.joined_s=[5]", "joined_s has 1 numbers, expected 2"),
        ("label.joined_s=[9,5]", "Give the shortest first"),
        ("label.tails_s=[]", "tails_s has 0 numbers, expected at least 1"),
        ("label.nonspeech=1.1", "label.nonspeech 1.1, expected 0 to 1"),
        ("label.context=2", "label.context 2, expected 0 to 1"),
        ("label.single=0", "label.single 0, expected at least 1"),
        ("label_loss.teacher=-1", "label_loss.teacher -1, expected at least 0"),
        ("label.synthetic_share=2", "label.synthetic_share 2, expected 0 to 1"),
        ("label.targets=[]", "targets has 0"),
        ("label.targets=[eng,french]", "label.targets: 'french' is no ISO 639-3 code"),
        ("label.held_out=[spa-fra-eng]", "label.held_out: 'spa-fra-eng' is no direction. Write it as spa-fra."),
        ("label.held_out=[spa-xx]", "label.held_out: 'xx' is no ISO 639-3 code"),
        ("label.synthetic_rows=0", "label.synthetic_rows 0, expected at least 1"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(override, said):
    with pytest.raises(ConfigError) as error:
        composed(override)
    assert said in str(error.value)


def test_synthetic_speech_without_a_teacher_is_refused():
    with pytest.raises(ConfigError, match=r"label\.synthetic is learned from the teacher"):
        composed("label.synthetic=[spoken.jsonl]", "label_loss.teacher=0")
    assert composed("label.synthetic=[spoken.jsonl]").label.synthetic == ["spoken.jsonl"]


def test_parts_refuse_it_when_they_are_built():
    with pytest.raises(ConfigError, match=r"label\.cut"):
        LabelDataConfig(cut=float("nan"))
    with pytest.raises(ConfigError, match=r"label_loss\.language"):
        LabelLossConfig(language=-0.5)
