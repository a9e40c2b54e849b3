"""What contradicts itself in a codec's training is refused."""

import pytest

from speech.errors import ConfigError
from speech.train.codec.config import CodecLossConfig, CodecTrainConfig, CropConfig, DiscriminatorConfig


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: CropConfig(rows=0), r"crops\.rows 0"),
        (lambda: CropConfig(crop_s=0), r"crops\.crop_s 0"),
        (lambda: CodecLossConfig(n_mels=[40]), r"n_mels \[40\], n_ffts \[512, 1024, 2048\]"),
        (lambda: CodecLossConfig(mel=0, stft=0), "mel and stft are both 0"),
        (lambda: CodecLossConfig(features=-1), r"codec_loss\.features -1"),
        (lambda: DiscriminatorConfig(periods=[], n_ffts=[]), "no periods and no n_ffts"),
        (lambda: DiscriminatorConfig(periods=[0]), r"discriminators\.periods\[0\] 0"),
        (lambda: CodecTrainConfig(freeze_encoder=True), "freeze_encoder without start"),
    ],
)
def test_contradictions_are_named(made, message):
    with pytest.raises(ConfigError, match=message):
        made()


def test_the_defaults_fit_together():
    config = CodecTrainConfig()
    assert config.discriminators.crop_s <= config.crops.crop_s
    assert config.model.sample_rate * config.discriminators.crop_s > max(config.discriminators.n_ffts)
    assert not config.evaluate
