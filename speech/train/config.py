"""Everything a training run can be told. Contradictions are refused when the configuration is built."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from speech.audio.augment import AugmentConfig
from speech.data.plan import BatchConfig
from speech.errors import ConfigError
from speech.models.checkpoint import Storage
from speech.models.owsm_ctc import OwsmCtcConfig
from speech.text.languages import resolve


class Precision(StrEnum):
    """Arithmetic of training; parameters are float32 in each case."""

    auto = "auto"
    """bfloat16 where the processor has instructions for it, otherwise float32."""
    float32 = "float32"
    bfloat16 = "bfloat16"


class Mixing(StrEnum):
    """How languages are weighted."""

    temperature = "temperature"
    unimax = "unimax"


@dataclass(kw_only=True, slots=True)
class DataConfig:
    """Which speech, and how it is mixed and cut into batches."""

    root: str = ""
    """Folder with the manifests; audio paths are relative to it."""
    train: str = "train.jsonl"
    dev: str = "dev.jsonl"
    test: str = "test.jsonl"
    also: list[str] = field(default_factory=list)
    """More training manifests, such as code-switched speech; audio paths are relative to each."""
    also_times: int = 1
    """How often each utterance of those comes in an epoch."""
    languages: list[str] = field(default_factory=list)
    """ISO 639-3 codes to keep; empty keeps all."""
    st_targets: list[str] = field(default_factory=list)
    """Translation targets; the manifests hold the texts."""
    exclude: str = ""
    """File of utterance ids, one per line, left out of training (faulty transcripts)."""
    mixing: Mixing = Mixing.temperature
    temperature: float = 1.0
    """p ~ hours^(1 / temperature); 1 keeps the corpus as it is."""
    unimax_epochs: float = 4.0
    """Most repetitions of a language under UniMax."""
    batches: BatchConfig = field(default_factory=BatchConfig)
    augment: AugmentConfig | None = field(default_factory=AugmentConfig)
    plain_epochs: int = 0
    """First epochs without augmentation: new heads find the tokens sooner in clean speech."""
    workers: int = 1
    """Processes that read and augment."""
    cache: bool = True
    """Keep decoded audio in memory (115 MB an hour)."""

    def __post_init__(self) -> None:
        for code in [*self.languages, *self.st_targets]:
            if resolve(code).code != code:
                raise ConfigError(f"language {code!r}", fix=f"Write {resolve(code).code!r} (ISO 639-3).")
        if self.also_times < 1:
            raise ConfigError(f"also_times {self.also_times}, expected at least 1")


@dataclass(kw_only=True, slots=True)
class TokenizerConfig:
    """SentencePiece, trained on the training texts unless the run starts from a checkpoint."""

    size: int = 4000
    """Pieces."""
    coverage: float = 1.0
    """Share of characters that get a piece."""
    characters: bool = False
    """Characters instead of pieces of words: what little speech can teach a network that writes nothing yet."""


@dataclass(kw_only=True, slots=True)
class InitConfig:
    """Where parameters come from: at most one of the two."""

    whisper: str = ""
    """Whisper `.safetensors` file, or a hub id such as openai/whisper-base, for the encoder."""
    checkpoint: str = ""
    """A checkpoint of ours (name, directory or hub id): encoder, heads and tokenizer."""
    encoder_only: bool = False
    """Take only the encoder of the checkpoint; heads and tokenizer start anew."""

    def __post_init__(self) -> None:
        if self.whisper and self.checkpoint:
            raise ConfigError("init.whisper and init.checkpoint are both given", fix="Give one.")


@dataclass(kw_only=True, slots=True)
class OptimizerConfig:
    """AdamW with warm-up."""

    lr: float = 1e-3
    """Peak rate of heads."""
    encoder_lr: float = 1.0
    """Factor for the encoder."""
    frozen_layers: int = 0
    """Lowest encoder layers, and the subsampling, that stay as they are and cost no backward pass."""
    heads_first: int = 0
    """Steps in which only the heads learn, on the encoder as it is; it warms up after them. Blanks, which are all that
    new heads write, would otherwise wear a pretrained encoder down before the first token."""
    layer_decay: float = 1.0
    """Factor per encoder layer downwards: lower layers learn more slowly."""
    betas: list[float] = field(default_factory=lambda: [0.9, 0.98])
    eps: float = 1e-6
    weight_decay: float = 0.01
    warmup: int = 500
    """Steps of linear warm-up."""
    final: float = 0.02
    """Share of the peak rate at the end of a cosine; 0 with `inverse_sqrt`."""
    inverse_sqrt: bool = False
    """lr * sqrt(warmup / step) after the warm-up, as published, instead of a cosine to the last step."""
    clip: float = 5.0
    """Largest norm of the gradient."""


@dataclass(kw_only=True, slots=True)
class ChunkConfig:
    """Dynamic chunk training (Zhang et al. 2022): a share of batches sees only what live inference would."""

    probability: float = 0.5
    """Of a batch to be chunked; the others see everything."""
    begins: int = 0
    """First step with chunked batches."""
    sizes: list[int] = field(default_factory=lambda: [8, 16, 32, 64])
    """Chunk sizes in encoder frames."""
    left_context: int = 256
    """Frames before a chunk that it sees; the same in use."""
    right_contexts: list[int] = field(default_factory=lambda: [0])
    """Frames behind a chunk that it waits for and sees: one of these, as live servers choose."""
    random_offset: bool = True
    """Start positions anywhere on the ring, so that none is special."""


@dataclass(kw_only=True, slots=True)
class LossConfig:
    """Weights of the objectives."""

    inter: float = 0.5
    """Share of the intermediate CTC losses (published: 0.8)."""
    language: float = 0.3
    """Weight of the language head's cross-entropy."""
    freq_masks: int = 2
    freq_width: int = 15
    time_masks: int = 6
    time_ratio: float = 0.04
    """SpecAugment: number of masks, largest width in bins, largest share of the time."""


@dataclass(kw_only=True, slots=True)
class TrainerConfig:
    """The loop."""

    max_steps: int = 1000
    """Optimiser steps."""
    accumulate: int = 1
    """Batches per step, of each process."""
    precision: Precision = Precision.auto
    devices: int = 1
    strategy: str = "auto"
    """How processes share the work: auto, ddp (each has the whole model), fsdp (each has a part of it)."""
    accelerator: str = "auto"
    validate_every: int = 500
    """Steps."""
    checkpoint_every: int = 100
    """Steps."""
    average: int = 5
    """Last checkpoints whose mean is the result."""
    average_every: int = 100
    """Steps between checkpoints that are averaged."""
    log_every: int = 10
    """Steps between records of the training loss."""
    threads: int = 0
    """CPU threads; 0 leaves torch's choice."""
    progress: bool = True


@dataclass(kw_only=True, slots=True)
class RunConfig:
    """What every run can be told."""

    name: str = "owsm_ctc"
    output: str = "runs/owsm_ctc"
    """Folder of checkpoints, logs, curve and result."""
    seed: int = 1
    resume: bool = True
    """Go on where an interrupted run of the same folder stopped."""
    data: DataConfig = field(default_factory=DataConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    chunk: ChunkConfig = field(default_factory=ChunkConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    evaluate: bool = True
    """Print a table of error rates on the test manifest at the end."""


@dataclass(kw_only=True, slots=True)
class TrainConfig(RunConfig):
    """The training of a model."""

    model: OwsmCtcConfig
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    init: InitConfig = field(default_factory=InitConfig)
    storage: Storage = Storage.float16
    """How the result lies on disk."""
