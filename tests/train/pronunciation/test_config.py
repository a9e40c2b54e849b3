"""Settings of the training of pronunciation models."""

import pytest

from speech.errors import ConfigError
from speech.train.pronunciation.config import PronunciationBatchConfig, PronunciationTrainConfig


def test_it_needs_corpora():
    with pytest.raises(ConfigError, match=r"corpora is empty.*train\.jsonl"):
        PronunciationTrainConfig()


def test_numbers_are_in_range():
    with pytest.raises(ConfigError, match=r"rows\.letters 0"):
        PronunciationBatchConfig(letters=0)
