"""What contradicts itself is refused."""

import pytest

from speech.errors import ConfigError
from speech.models.dual_ar import DualArConfig
from speech.train.speech_lm.config import LoraConfig, PackingConfig, SpeechLmInitConfig, SpeechLmTrainConfig


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "codec is not set. Give the codec"),
        ({"codec": "c", "lora": LoraConfig(rank=4)}, r"lora\.rank without init\.checkpoint"),
        ({"codec": "c", "speakers": "s"}, r"speakers 's', model\.speaker_dim 0"),
        ({"codec": "c", "model": DualArConfig(speaker_dim=3)}, r"speakers '', model\.speaker_dim 3"),
    ],
)
def test_contradictions_are_named(values, message):
    with pytest.raises(ConfigError, match=message):
        SpeechLmTrainConfig(**values)


def test_a_checkpoint_brings_its_codec():
    config = SpeechLmTrainConfig(init=SpeechLmInitConfig(checkpoint="m"), lora=LoraConfig(rank=4))
    assert config.codec == ""


def test_numbers_have_ranges():
    with pytest.raises(ConfigError, match=r"packing\.prompted 1\.5"):
        PackingConfig(prompted=1.5)
    with pytest.raises(ConfigError, match=r"lora\.rank -1"):
        LoraConfig(rank=-1)
