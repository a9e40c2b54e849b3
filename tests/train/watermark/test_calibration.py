"""The thresholds: as many unmarked recordings and windows reach them as may."""

from dataclasses import replace

import numpy as np
import pytest

from speech.data.manifest import read_manifest
from speech.errors import DataError
from speech.train.watermark.calibration import calibrate, reached_by, thresholds_at
from speech.train.watermark.config import AttackConfig, CalibrationConfig
from tests.tiny_watermark import tiny_watermark
from tests.train.codec.corpus import spoken

__all__ = ["spoken"]  # fixtures


@pytest.mark.parametrize(("share", "reach"), [(0.1, 10), (0.015, 1), (0.001, 0)])
def test_at_most_the_share_reaches_the_threshold(share, reach):
    scores = np.random.default_rng(0).permutation(np.arange(100.0))
    found = reached_by(scores, share)
    assert (scores >= found).sum() == reach
    assert (scores >= found - 0.01).sum() == reach + 1


def test_recordings_and_windows_have_thresholds_of_their_own():
    config = CalibrationConfig(false_alarms=0.1, window_false_alarms=0.2)
    found = thresholds_at(np.arange(100.0), np.arange(100.0)[::-1] + 7, 3.0, np.arange(50.0), config)
    assert (found.false_alarms, found.recordings, found.duration_s) == (0.1, 100, 3.0)
    assert (found.window_false_alarms, found.windows) == (0.2, 50)
    assert found.evidence == pytest.approx(94, abs=1e-3)  # five of a hundred, and five others at other speeds
    assert found.played == pytest.approx(7, abs=1e-3)
    assert found.logit == pytest.approx(39, abs=1e-3)


def test_a_recording_that_is_many_times_as_long_is_no_more_often_a_false_alarm():
    rng = np.random.default_rng(0)
    config = CalibrationConfig(false_alarms=0.02)
    found = thresholds_at(rng.gumbel(4, 2, 20000), rng.gumbel(5, 1, 20000), 5.0, np.zeros(9), config)
    long = rng.gumbel(4, 2, (2000, 20)).max(axis=1)  # 20 times as long
    assert found.growth == pytest.approx(2, rel=0.1)  # of a Gumbel distribution it is the scale
    assert (long >= found.of(100.0)).mean() == pytest.approx(0.01, abs=0.006)
    assert (long >= found.of(5.0)).mean() > 0.1


def test_they_are_set_on_unmarked_speech_as_it_is_and_attacked(spoken):
    utterances = read_manifest(spoken / "train.jsonl")
    config = CalibrationConfig(false_alarms=0.2, window_false_alarms=0.3, utterances=5)
    first, second = (calibrate(tiny_watermark(), utterances, config, AttackConfig(), 1) for _ in range(2))
    assert first == second
    assert (first.recordings, first.windows) == (10, 10)
    assert 0 < first.false_alarms <= 0.2
    assert 0 < first.window_false_alarms <= 0.3
    assert first.growth >= 0


def test_without_speech_there_is_none(spoken, tmp_path):
    missing = [replace(u, audio=tmp_path / "none.wav") for u in read_manifest(spoken / "dev.jsonl")]
    with pytest.raises(DataError, match="no unmarked speech"):
        calibrate(tiny_watermark(), missing, CalibrationConfig(), AttackConfig(), 1)
