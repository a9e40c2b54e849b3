"""What contradicts itself is refused."""

import pytest

from speech.errors import ConfigError
from speech.models.dual_ar import DualArConfig
from speech.nn.speech_lm.text_encoder import TextEncoderConfig
from speech.train.speech_lm.config import LoraConfig, PackingConfig, SpeechLmInitConfig, SpeechLmTrainConfig

ALIGNED = {"codec": "c", "conditioner": "aligned", "alignments": "a"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "codec is not set. Give the codec"),
        ({"codec": "c", "lora": LoraConfig(rank=4)}, r"lora\.rank without init\.checkpoint"),
        ({"codec": "c", "speakers": "s"}, r"speakers 's', model\.speaker_dim 0"),
        ({"codec": "c", "model": DualArConfig(speaker_dim=3)}, r"speakers '', model\.speaker_dim 3"),
        ({"codec": "c", "conditioner": "aligned"}, "conditioner aligned, alignments ''"),
        ({"codec": "c", "alignments": "a"}, "conditioner prefix, alignments 'a'. Give alignments"),
        ({**ALIGNED, "model": DualArConfig(tied=True)}, r"model\.tied True: aligned models have no such switch"),
        ({**ALIGNED, "model": DualArConfig(first_in_tokens=False)}, r"model\.first_in_tokens False"),
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


def test_an_aligned_model_has_the_shape_of_the_transformers_and_of_its_text_encoder():
    model = DualArConfig(codebooks=3, codebook_size=7, speaker_dim=5, max_frames=9, positions=90)
    config = SpeechLmTrainConfig(**ALIGNED, model=model, text_encoder=TextEncoderConfig(layers=2), speakers="s")
    own = config.aligned
    assert (own.codebooks, own.codebook_size, own.speaker_dim, own.max_frames, own.positions) == (3, 7, 5, 9, 90)
    assert own.text.look_ahead == 4
    assert own.slow is model.slow
    assert own.fast is model.fast
