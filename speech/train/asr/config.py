"""Everything a training run can be told. Contradictions are refused when the configuration is built.

Configurations are frozen; `dataclasses.replace` makes another.
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
    """Which speech, and how it is mixed and cut into batches."""

    root: str = ""
    """Folder with the manifests; audio paths are relative to it."""
    shards: str = ""
    """Folder of tar shards (`recipes/owsm_ctc/shards.py`) to train on, instead of the manifest `train`."""
    train: str = "train.jsonl"
    dev: str = "dev.jsonl"
    test: str = "test.jsonl"
    also: list[str] = field(default_factory=list)
    """More training manifests, such as code-switched speech; audio paths are relative to each."""
    also_times: int = ranged(1, least=1)
    """How often each utterance of those comes in an epoch."""
    languages: list[str] = field(default_factory=list)
    """ISO 639-3 codes to keep; empty keeps all."""
    st_targets: list[str] = field(default_factory=list)
    """Translation targets; the manifests hold the texts."""
    exclude: str = ""
    """File of utterance ids, one per line, left out of training (faulty transcripts)."""
    mixing: Mixing = Mixing.temperature
    temperature: float = ranged(1.0, least=1)
    """p ~ hours^(1 / temperature); 1 keeps the corpus as it is."""
    unimax_epochs: float = ranged(4.0, above=0)
    """Most repetitions of a language under UniMax."""
    batches: BatchConfig = field(default_factory=BatchConfig)
    augment: AugmentConfig | None = field(default_factory=AugmentConfig)
    plain_epochs: int = ranged(0, least=0)
    """First epochs without augmentation: new heads find the tokens sooner in clean speech."""
    workers: int = ranged(1, least=0)
    """Processes that read and augment."""
    cache: bool = True
    """Keep decoded audio in memory (115 MB an hour)."""
    max_unreadable: float = ranged(0.01, least=0, most=1)
    """Share of a part's utterances, and one in any case, whose audio may turn out to be unreadable: they are left out
    with a warning. More of them end the run; 0: the first does."""

    def __post_init__(self) -> None:
        check(self, "data")
        for code in [*self.languages, *self.st_targets]:
            if resolve(code).code != code:
                raise ConfigError(f"language {code!r}", fix=f"Write {resolve(code).code!r} (ISO 639-3).")


@dataclass(frozen=True, kw_only=True)
class TokenizerConfig:
    """SentencePiece, trained on the training texts unless the run starts from a checkpoint."""

    size: int = ranged(4000, least=1)
    """Pieces."""
    coverage: float = ranged(1.0, above=0, most=1)
    """Share of characters that get a piece."""
    characters: bool = False
    """Characters instead of pieces of words: what little speech can teach a network that writes nothing yet."""

    def __post_init__(self) -> None:
        check(self, "tokenizer")


@dataclass(frozen=True, kw_only=True)
class InitConfig:
    """Where parameters come from: at most one of the two."""

    whisper: str = ""
    """Whisper `.safetensors` file, or a hub id such as openai/whisper-base, for the encoder."""
    checkpoint: str = ""
    """A checkpoint of ours (name, directory or hub id): encoder, heads and tokenizer."""
    encoder_only: bool = False
    """Take only the encoder of the checkpoint; heads and tokenizer start anew."""
    lower: str = ""
    """A label model (directory or hub id) whose convolutions and lowest layers, `model.encoder.prefix_after` of them,
    take the place of the checkpoint's: what both then hear is computed once."""

    def __post_init__(self) -> None:
        if self.whisper and self.checkpoint:
            raise ConfigError("init.whisper and init.checkpoint are both given", fix="Give one.")
        if self.lower and (self.encoder_only or not self.checkpoint):
            raise ConfigError("init.lower without a whole init.checkpoint", fix="Give the CTC model to start from.")


@dataclass(frozen=True, kw_only=True)
class ChunkConfig:
    """Dynamic chunk training (Zhang et al. 2022): a share of batches sees only what live inference would."""

    probability: float = ranged(0.5, least=0, most=1)
    """Of a batch to be chunked; the others see everything."""
    begins: int = ranged(0, least=0)
    """First step with chunked batches."""
    sizes: list[int] = field(default_factory=lambda: [8, 16, 32, 64], metadata=within(Range(least=1, count=(1, None))))
    """Chunk sizes in encoder frames."""
    left_context: int = ranged(256, least=0)
    """Frames before a chunk that it sees; the same in use."""
    right_contexts: list[int] = field(default_factory=lambda: [0], metadata=within(Range(least=0, count=(1, None))))
    """Frames behind a chunk that it waits for and sees: one of these, as live servers choose."""
    random_offset: bool = True
    """Start positions anywhere on the ring, so that none is special."""

    def __post_init__(self) -> None:
        check(self, "chunk")


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """Weights of the objectives."""

    inter: float = ranged(0.5, least=0, most=1)
    """Share of the intermediate CTC losses (published: 0.8)."""
    language: float = ranged(0.3, least=0)
    """Weight of the language head's cross-entropy."""
    freq_masks: int = ranged(2, least=0)
    freq_width: int = ranged(15, least=0)
    time_masks: int = ranged(6, least=0)
    time_ratio: float = ranged(0.04, least=0, most=1)
    """SpecAugment: number of masks, largest width in bins, largest share of the time."""

    def __post_init__(self) -> None:
        check(self, "loss")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What every run can be told."""

    name: str = "owsm_ctc"
    output: str = "runs/owsm_ctc"
    """Folder of checkpoints, logs, curve and result."""
    seed: int = ranged(1, least=0, most=2**32 - 1)
    resume: bool = True
    """Go on where an interrupted run of the same folder stopped."""
    data: DataConfig = field(default_factory=DataConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    chunk: ChunkConfig = field(default_factory=ChunkConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    evaluate: bool = True
    """Print a table of error rates on the test manifest at the end."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig(RunConfig):
    """The training of a model."""

    model: OwsmCtcConfig
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    init: InitConfig = field(default_factory=InitConfig)
    storage: Storage = Storage.float16
    """How the result lies on disk."""
