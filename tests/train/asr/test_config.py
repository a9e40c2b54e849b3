"""Contradictions are refused when a configuration is built."""

import pytest

from speech.errors import ConfigError
from speech.train.asr.config import ChunkConfig, DataConfig, InitConfig, OptimizerConfig, TokenizerConfig, TrainerConfig


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: InitConfig(whisper="a", checkpoint="b"), "init.whisper and init.checkpoint are both given"),
        (lambda: InitConfig(lower="a"), "init.lower without a whole init.checkpoint"),
        (lambda: InitConfig(lower="a", checkpoint="b", encoder_only=True), "init.lower without a whole"),
        (lambda: DataConfig(languages=["German"]), "language 'German'. Write 'deu'"),
        (lambda: DataConfig(st_targets=["de"]), "language 'de'. Write 'deu'"),
        (lambda: OptimizerConfig(betas=[0.9]), r"optimizer\.betas"),
        (lambda: ChunkConfig(sizes=[]), r"chunk\.sizes"),
        (lambda: TokenizerConfig(coverage=1.1), r"tokenizer\.coverage 1\.1, expected more than 0 and at most 1"),
        (lambda: TrainerConfig(accumulate=0), r"trainer\.accumulate 0, expected at least 1"),
    ],
)
def test_what_cannot_be_is_refused_by_the_name_of_its_field(make, said):
    with pytest.raises(ConfigError, match=said):
        make()


def test_two_configurations_share_no_list():
    OptimizerConfig().betas.append(0.5)
    assert OptimizerConfig().betas == [0.9, 0.98]
