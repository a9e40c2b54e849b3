"""Shape of a watermark: sizes, and what is refused."""

import pytest

from speech.errors import ConfigError
from speech.models.watermark import BITS, WatermarkConfig
from tests.tiny_watermark import tiny_watermark


def test_sizes_are_those_that_it_says():
    made = WatermarkConfig().build()
    generator, detector = (sum(p.numel() for p in own.parameters()) / 1e6 for own in (made.generator, made.detector))
    assert 0.3 < generator < 0.4
    assert 0.4 < detector < 0.5
    assert (made.sample_rate, made.frame_s, BITS) == (24000, 0.01, 16)
    assert made.generator.delay == 720
    assert made.device.type == "cpu"


def test_both_networks_hear_the_same_bands():
    made = tiny_watermark()
    assert (made.generator.log_mel.filters == made.detector.log_mel.filters).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_fft": 1000}, "n_fft 1000, hop 240"),
        ({"period": 5}, "period 5, expected an even number"),
        ({"limit_db": 9.0}, "limit_db 9, expected"),
        ({"detector_dim": 64}, "detector_dim 64, expected at least 68"),
    ],
)
def test_what_makes_no_sense_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        WatermarkConfig(**settings)
