"""The threshold: as many unmarked windows reach it as may."""

from dataclasses import replace

import numpy as np
import pytest

from speech.data.manifest import read_manifest
from speech.errors import DataError
from speech.train.watermark.calibration import calibrate, threshold_at
from speech.train.watermark.config import AttackConfig, CalibrationConfig
from tests.tiny_watermark import tiny_watermark
from tests.train.codec.corpus import spoken

__all__ = ["spoken"]  # fixtures


@pytest.mark.parametrize(("share", "reach"), [(0.1, 10), (0.015, 1), (0.001, 0)])
def test_at_most_the_share_reaches_the_threshold(share, reach):
    scores = np.random.default_rng(0).permutation(np.arange(100.0))
    found = threshold_at(scores, share)
    assert (scores >= found.logit).sum() == reach
    assert (scores >= found.logit - 0.01).sum() == reach + 1
    assert (found.false_alarms, found.windows) == (reach / 100, 100)


def test_it_is_set_on_unmarked_speech_as_it_is_and_attacked(spoken):
    utterances = read_manifest(spoken / "train.jsonl")
    config = CalibrationConfig(false_alarms=0.2, utterances=5)
    first, second = (calibrate(tiny_watermark(), utterances, config, AttackConfig(), 1) for _ in range(2))
    assert first == second
    assert first.windows == 10
    assert 0 < first.false_alarms <= 0.2


def test_without_speech_there_is_none(spoken, tmp_path):
    missing = [replace(u, audio=tmp_path / "none.wav") for u in read_manifest(spoken / "dev.jsonl")]
    with pytest.raises(DataError, match="no unmarked speech"):
        calibrate(tiny_watermark(), missing, CalibrationConfig(), AttackConfig(), 1)
