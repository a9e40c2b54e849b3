"""Configuration of the training of an end-of-turn model."""

from __future__ import annotations

from dataclasses import dataclass, field

from speech.errors import ConfigError
from speech.ranges import check, ranged
from speech.train.asr.config import RunConfig


@dataclass(frozen=True, kw_only=True)
class TurnBatchConfig:
    """Batches of examples: of each text a complete turn or one that breaks off, drawn anew in each epoch."""

    rows: int = ranged(256, least=1)
    """Texts of a batch."""
    recognised_times: int = ranged(4, least=1)
    """Number of times that each recognised turn occurs in an epoch."""
    phrase_times: int = ranged(10, least=1)
    """Number of times that each of what people say to assistants occurs in an epoch."""
    dropout: float = ranged(0.15, least=0, below=1)
    """Share of features that an example lacks, so that no single word decides."""
    unnamed: float = ranged(0.3, least=0, most=1)
    """Share of examples whose language is unknown."""

    def __post_init__(self) -> None:
        check(self, "rows")


@dataclass(frozen=True, kw_only=True)
class EndOfTurnTrainConfig(RunConfig):
    """Configuration of the training of an end-of-turn model."""

    texts: str = ""
    """Folder with train.jsonl and dev.jsonl, as `recipes/dialogue/turn_texts.py` writes them."""
    recognised: str = ""
    """The same of `recipes/dialogue/recognised_turns.py`; empty: none."""
    buckets: int = ranged(1 << 18, least=2, most=1 << 22)
    """Weights of the model."""
    rows: TurnBatchConfig = field(default_factory=TurnBatchConfig)
    evaluate: bool = False

    def __post_init__(self) -> None:
        if not self.texts:
            raise ConfigError("texts is empty", fix="Give a folder with train.jsonl and dev.jsonl.")
