"""Settings that contradict each other are refused."""

import pytest

from speech.errors import ConfigError
from speech.train.watermark.config import (
    AttackConfig,
    CalibrationConfig,
    PlacementConfig,
    WatermarkLossConfig,
    WatermarkTrainConfig,
)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WatermarkLossConfig(n_ffts=[512]), "n_mels .*, n_ffts"),
        (lambda: WatermarkLossConfig(bits=0.0), "presence or bits is 0"),
        (lambda: PlacementConfig(original=0.7, other=0.4), "more than 1 together"),
        (lambda: AttackConfig(snr_db=[30.0, 10.0]), "expected the lowest first"),
        (lambda: AttackConfig(mix_db=[3.0]), "attacks.mix_db has 1 numbers, expected 2"),
        (lambda: CalibrationConfig(false_alarms=0.0), "false_alarms 0, expected"),
    ],
)
def test_contradictions_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_the_defaults_are_those_of_a_watermark_at_24_khz():
    config = WatermarkTrainConfig()
    assert config.model.sample_rate == 24000
    assert (config.calibration.false_alarms, config.calibration.window_false_alarms) == (0.005, 0.01)
