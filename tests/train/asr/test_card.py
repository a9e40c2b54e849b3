"""The model card says what was trained on what, and how well it does."""

import math

import pytest

from speech.models.owsm_ctc import OwsmCtcConfig
from speech.nn.encoder.whisper import WhisperEncoderConfig
from speech.train.asr.card import model_card
from speech.train.asr.config import InitConfig, TrainConfig

HEARD = {"hours": {"deu": 0.5, "eng": 2.25}, "sources": [("tones", "CC0")], "test": None}


def config(**init: object) -> TrainConfig:
    model = OwsmCtcConfig(encoder=WhisperEncoderConfig(), inter_layers=[], inter_transcript=0)
    return TrainConfig(name="small", model=model, init=InitConfig(**init))


def test_it_names_hours_from_many_to_few_sources_and_licences():
    card = model_card(config(), HEARD)
    assert card.startswith("# small\n\nA CTC encoder (WhisperEncoder) trained for 1000 steps on 2.8 hours of speech")
    assert "| tones | CC0 |" in card
    assert card.index("| English (eng) | 2.25 |") < card.index("| German (deu) | 0.50 |")
    assert "Error rates" not in card


@pytest.mark.parametrize(
    ("init", "said"),
    [
        ({}, "started from: random parameters"),
        ({"checkpoint": "embedded"}, "started from: embedded"),
        ({"whisper": "openai/whisper-base"}, "started from: the encoder of openai/whisper-base"),
    ],
)
def test_it_says_what_it_started_from(init, said):
    assert f"- {said}" in model_card(config(**init), HEARD)


def test_rates_that_are_not_known_are_a_dash():
    row = {"utterances": 3, "wer": 0.12345, "cer": None, "lid": 1.0}
    test = {"normalizer": 2, "overall": None, "languages": {"deu": row}}
    card = model_card(config(), HEARD | {"test": test})
    assert "normaliser 2" in card
    assert "| German | 3 | 0.123 | - | 1.000 |\n| all | | - | | |\n" in card
    assert str(math.nan) not in card
