"""Configuration of the training loop, whatever the task: optimiser, devices, and intervals.

Configurations are frozen, so the record in the run's folder is exactly what the run uses.
"""

from __future__ import annotations

from dataclasses import Field, dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from speech.ranges import Range, check, ranged, within


class TrainingPrecision(StrEnum):
    """Precision of training arithmetic; parameters are always float32."""

    auto = "auto"
    """bfloat16 if the processor has instructions for it, otherwise float32."""
    float32 = "float32"
    bfloat16 = "bfloat16"


class ParallelStrategy(StrEnum):
    """Parallelism over processes."""

    auto = "auto"
    ddp = "ddp"
    """Data parallel: each process has the whole model."""
    fsdp = "fsdp"
    """Fully sharded: each process has a part of the model."""


class Accelerator(StrEnum):
    """Device of a run; `auto` uses a GPU if there is one."""

    auto = "auto"
    cpu = "cpu"
    gpu = "gpu"
    cuda = "cuda"
    mps = "mps"


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """AdamW with warm-up and decay of the learning rate."""

    lr: float = ranged(1e-3, above=0)
    """Peak learning rate of the heads."""
    encoder_lr: float = ranged(1.0, least=0)
    """Factor on the learning rate for the encoder."""
    frozen_layers: int = ranged(0, least=0)
    """Number of lowest encoder layers that are frozen, with the subsampling; they need no backward pass."""
    heads_first: int = ranged(0, least=0)
    """Number of first steps in which only the heads are trained; the encoder's warm-up follows. Otherwise new heads,
    which output only blanks, would damage a pretrained encoder before the first token."""
    layer_decay: float = ranged(1.0, above=0)
    """Factor on the learning rate per encoder layer downwards: lower layers learn more slowly."""
    betas: list[float] = field(
        default_factory=lambda: [0.9, 0.98], metadata=within(Range(least=0, below=1, count=(2, 2)))
    )
    eps: float = ranged(1e-6, above=0)
    weight_decay: float = ranged(0.01, least=0)
    warmup: int = ranged(500, least=0)
    """Steps of linear warm-up."""
    final: float = ranged(0.02, least=0)
    """Share of the peak learning rate at the end of the cosine; unused with `inverse_sqrt`."""
    inverse_sqrt: bool = False
    """Decay as lr * sqrt(warmup / step) after the warm-up, as published, instead of a cosine to the last step."""
    clip: float = ranged(5.0, least=0)
    """Maximum norm of the gradient; 0 disables clipping."""

    def __post_init__(self) -> None:
        check(self, "optimizer")


@dataclass(frozen=True, kw_only=True)
class TrainerConfig:
    """Settings of the training loop."""

    max_steps: int = ranged(1000, least=1)
    """Optimiser steps."""
    accumulate: int = ranged(1, least=1)
    """Batches per optimiser step and process."""
    precision: TrainingPrecision = TrainingPrecision.auto
    devices: int = ranged(1, least=1)
    strategy: ParallelStrategy = ParallelStrategy.auto
    """Parallelism over processes."""
    accelerator: Accelerator = Accelerator.auto
    validate_every: int = ranged(500, least=1)
    """Steps between validations."""
    checkpoint_every: int = ranged(100, least=1)
    """Steps between checkpoints."""
    average: int = ranged(5, least=0)
    """Number of last snapshots that are averaged for the result; 0 disables averaging."""
    average_every: int = ranged(100, least=1)
    """Steps between snapshots to average."""
    log_every: int = ranged(10, least=1)
    """Steps between records of the training loss."""
    threads: int = ranged(0, least=0)
    """CPU threads; 0 keeps torch's default."""
    progress: bool = True

    def __post_init__(self) -> None:
        check(self, "trainer")


class RunSettings(Protocol):
    """Fields of a run's configuration (a frozen dataclass) that the loop uses."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def output(self) -> str:
        """Folder of checkpoints, logs and result."""

    @property
    def seed(self) -> int:
        """Seed of all random numbers."""

    @property
    def resume(self) -> bool:
        """Whether to resume an interrupted run in the same folder."""

    @property
    def optimizer(self) -> OptimizerConfig:
        """Optimiser settings."""

    @property
    def trainer(self) -> TrainerConfig:
        """Settings of the loop."""
