"""Configuration of the training of a pronunciation model."""

from __future__ import annotations

from dataclasses import dataclass, field

from speech.choices import Storage
from speech.errors import ConfigError
from speech.models.letter_phonemes import LetterPhonemesConfig
from speech.ranges import check, ranged
from speech.train.asr.config import RunConfig


@dataclass(frozen=True, kw_only=True)
class PronunciationBatchConfig:
    """Batches of sentences and single words, rows of similar length together."""

    letters: int = ranged(4000, least=1)
    """Of a batch, with what fills rows up; a longer row is a batch of its own."""
    dev_rows: int = ranged(3000, least=1)
    """Maximum rows of the dev set, evenly from all of them."""

    def __post_init__(self) -> None:
        check(self, "rows")


@dataclass(frozen=True, kw_only=True)
class PronunciationTrainConfig(RunConfig):
    """Configuration of the training of a pronunciation model."""

    model: LetterPhonemesConfig = field(default_factory=LetterPhonemesConfig)
    corpora: list[str] = field(default_factory=list)
    """Folders with train.jsonl and dev.jsonl, as `recipes/tts/teacher_pronunciations.py` writes them."""
    rows: PronunciationBatchConfig = field(default_factory=PronunciationBatchConfig)
    storage: Storage = Storage.float16
    """Number format of the resulting checkpoint on disk."""
    evaluate: bool = False

    def __post_init__(self) -> None:
        if not self.corpora:
            raise ConfigError("corpora is empty", fix="Give folders with train.jsonl and dev.jsonl.")
