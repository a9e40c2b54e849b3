"""A tiny run on a made-up language."""

from pathlib import Path
from typing import Any

from speech.models.letter_phonemes import LetterPhonemesConfig
from speech.train.loop.config import OptimizerConfig, TrainerConfig
from speech.train.pronunciation.config import PronunciationBatchConfig, PronunciationTrainConfig
from tests.pronounced import SHAPE


def tiny(corpora: list[Path], output: Path, **trainer: Any) -> PronunciationTrainConfig:
    steps = {"max_steps": 6, "validate_every": 3, "checkpoint_every": 1, "average_every": 2, "average": 2}
    usual = {"log_every": 1, "progress": False, "accelerator": "cpu", "precision": "float32"}
    return PronunciationTrainConfig(
        name="tiny",
        output=str(output),
        corpora=list(map(str, corpora)),
        model=LetterPhonemesConfig(**SHAPE),
        rows=PronunciationBatchConfig(letters=80),
        optimizer=OptimizerConfig(lr=1e-2, warmup=1),
        trainer=TrainerConfig(**usual | steps | trainer),
        storage="float32",
    )
