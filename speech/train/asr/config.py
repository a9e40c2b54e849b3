"""Configuration of a training run. Contradictions raise ConfigError when the configuration is built.

Configurations are frozen; use `dataclasses.replace` to change one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from speech.audio.augment import AugmentConfig
from speech.data.plan import BatchConfig
from speech.errors import ConfigError
from speech.models.checkpoint import Storage
from speech.models.owsm_ctc import OwsmCtcConfig
from speech.ranges import Range, check, ranged, within
from speech.text.languages import resolve
from speech.train.loop.config import OptimizerConfig, TrainerConfig


class Mixing(StrEnum):
    """How languages are weighted."""

    temperature = "temperature"
    unimax = "unimax"


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Training data, language mixing and batching."""

    root: str = ""
    """Folder with the manifests; audio paths are relative to it."""
    shards: str = ""
    """Folder of tar shards (`recipes/owsm_ctc/shards.py`) to train on, instead of the manifest `train`."""
    train: str = "train.jsonl"
    dev: str = "dev.jsonl"
    test: str = "test.jsonl"
    also: list[str] = field(default_factory=list)
    """Further training manifests, such as code-switched speech; audio paths are relative to each manifest."""
    also_times: int = ranged(1, least=1)
    """Number of times that each utterance of `also` occurs in an epoch."""
    languages: list[str] = field(default_factory=list)
    """ISO 639-3 codes to keep; empty keeps all."""
    st_targets: list[str] = field(default_factory=list)
    """Translation targets (ISO 639-3); the manifests contain the translations."""
    exclude: str = ""
    """File with the ids of utterances to leave out of training (e.g. faulty transcripts), one per line."""
    mixing: Mixing = Mixing.temperature
    temperature: float = ranged(1.0, least=1)
    """p ~ hours^(1 / temperature); 1 keeps the corpus distribution."""
    unimax_epochs: float = ranged(4.0, above=0)
    """Maximum number of repetitions of a language with UniMax."""
    batches: BatchConfig = field(default_factory=BatchConfig)
    augment: AugmentConfig | None = field(default_factory=AugmentConfig)
    plain_epochs: int = ranged(0, least=0)
    """Number of first epochs without augmentation: new heads learn tokens sooner on clean speech."""
    workers: int = ranged(1, least=0)
    """Data loader processes."""
    cache: bool = True
    """Cache decoded audio in memory (115 MB per hour)."""
    max_unreadable: float = ranged(0.01, least=0, most=1)
    """Share of the utterances of a part whose audio may be unreadable (above 0: at least one, never all): they are left
    out with a warning. More unreadable ones end the run."""

    def __post_init__(self) -> None:
        check(self, "data")
        for code in [*self.languages, *self.st_targets]:
            if resolve(code).code != code:
                raise ConfigError(f"language {code!r}", fix=f"Write {resolve(code).code!r} (ISO 639-3).")


@dataclass(frozen=True, kw_only=True)
class TokenizerConfig:
    """SentencePiece tokenizer, trained on the training texts unless the run starts from a checkpoint."""

    size: int = ranged(4000, least=1)
    """Vocabulary size in pieces."""
    coverage: float = ranged(1.0, above=0, most=1)
    """Share of characters that get a piece."""
    characters: bool = False
    """Use characters instead of subwords, for a randomly initialised model with little speech."""

    def __post_init__(self) -> None:
        check(self, "tokenizer")


@dataclass(frozen=True, kw_only=True)
class InitConfig:
    """Initial parameters: at most one of `whisper` and `checkpoint`."""

    whisper: str = ""
    """Whisper `.safetensors` file or hub id such as openai/whisper-base, for the encoder."""
    checkpoint: str = ""
    """One of our checkpoints (name, directory or hub id): encoder, heads and tokenizer."""
    encoder_only: bool = False
    """Take only the encoder of the checkpoint; heads and tokenizer start from scratch."""
    lower: str = ""
    """Label model (directory or hub id) whose convolutions and lowest `model.encoder.prefix_after` layers replace those
    of the checkpoint, so that a hybrid computes them once for both."""

    def __post_init__(self) -> None:
        if self.whisper and self.checkpoint:
            raise ConfigError("init.whisper and init.checkpoint are both given", fix="Give one.")
        if self.lower and (self.encoder_only or not self.checkpoint):
            raise ConfigError("init.lower without a whole init.checkpoint", fix="Give the CTC model to start from.")


@dataclass(frozen=True, kw_only=True)
class ChunkConfig:
    """Dynamic chunk training (Zhang et al. 2022): some batches get only the context that live inference has."""

    probability: float = ranged(0.5, least=0, most=1)
    """Probability that a batch is chunked; other batches have full context."""
    begins: int = ranged(0, least=0)
    """First step with chunked batches."""
    sizes: list[int] = field(default_factory=lambda: [8, 16, 32, 64], metadata=within(Range(least=1, count=(1, None))))
    """Chunk sizes in encoder frames."""
    left_context: int = ranged(256, least=0)
    """Left context of a chunk in frames, the same as at inference."""
    right_contexts: list[int] = field(default_factory=lambda: [0], metadata=within(Range(least=0, count=(1, None))))
    """Right contexts (lookahead) of a chunk in frames; each batch draws one, as live servers choose."""
    random_offset: bool = True
    """Draw the start position of each utterance on the positional ring at random, so that none is special."""

    def __post_init__(self) -> None:
        check(self, "chunk")


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """Weights of the objectives."""

    inter: float = ranged(0.5, least=0, most=1)
    """Weight of the intermediate CTC losses (published: 0.8)."""
    language: float = ranged(0.3, least=0)
    """Weight of the language head's cross-entropy."""
    freq_masks: int = ranged(2, least=0)
    freq_width: int = ranged(15, least=0)
    time_masks: int = ranged(6, least=0)
    time_ratio: float = ranged(0.04, least=0, most=1)
    """SpecAugment: number of masks, maximum width in bins, maximum share of time."""

    def __post_init__(self) -> None:
        check(self, "loss")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Settings common to all training tasks."""

    name: str = "owsm_ctc"
    output: str = "runs/owsm_ctc"
    """Folder of checkpoints, logs, curve and result."""
    seed: int = ranged(1, least=0, most=2**32 - 1)
    resume: bool = True
    """Resume an interrupted run in the same folder."""
    data: DataConfig = field(default_factory=DataConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    chunk: ChunkConfig = field(default_factory=ChunkConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    evaluate: bool = True
    """Print a table of error rates on the test manifest at the end."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig(RunConfig):
    """Configuration of ASR model training."""

    model: OwsmCtcConfig
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    init: InitConfig = field(default_factory=InitConfig)
    storage: Storage = Storage.float16
    """Number format of the resulting checkpoint on disk."""
