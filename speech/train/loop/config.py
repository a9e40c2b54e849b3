"""What the loop is told, whatever the task: the optimiser, the devices, and how often what happens.

A configuration is frozen: what the record in the run's folder says is what the run uses.
"""

from __future__ import annotations

from dataclasses import Field, dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from speech.ranges import Range, check, ranged, within


class TrainingPrecision(StrEnum):
    """Arithmetic of training; parameters are float32 in each case."""

    auto = "auto"
    """bfloat16 where the processor has instructions for it, otherwise float32."""
    float32 = "float32"
    bfloat16 = "bfloat16"


class ParallelStrategy(StrEnum):
    """How processes share the work."""

    auto = "auto"
    ddp = "ddp"
    """Each has the whole model."""
    fsdp = "fsdp"
    """Each has a part of it."""


class Accelerator(StrEnum):
    """What a run computes on; auto takes a GPU where there is one."""

    auto = "auto"
    cpu = "cpu"
    gpu = "gpu"
    cuda = "cuda"
    mps = "mps"


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """AdamW with warm-up."""

    lr: float = ranged(1e-3, above=0)
    """Peak rate of heads."""
    encoder_lr: float = ranged(1.0, least=0)
    """Factor for the encoder."""
    frozen_layers: int = ranged(0, least=0)
    """Lowest encoder layers, and the subsampling, that stay as they are and cost no backward pass."""
    heads_first: int = ranged(0, least=0)
    """Steps in which only the heads learn, on the encoder as it is; it warms up after them. Blanks, which are all that
    new heads write, would otherwise wear a pretrained encoder down before the first token."""
    layer_decay: float = ranged(1.0, above=0)
    """Factor per encoder layer downwards: lower layers learn more slowly."""
    betas: list[float] = field(
        default_factory=lambda: [0.9, 0.98], metadata=within(Range(least=0, below=1, count=(2, 2)))
    )
    eps: float = ranged(1e-6, above=0)
    weight_decay: float = ranged(0.01, least=0)
    warmup: int = ranged(500, least=0)
    """Steps of linear warm-up."""
    final: float = ranged(0.02, least=0)
    """Share of the peak rate at the end of a cosine; 0 with `inverse_sqrt`."""
    inverse_sqrt: bool = False
    """lr * sqrt(warmup / step) after the warm-up, as published, instead of a cosine to the last step."""
    clip: float = ranged(5.0, least=0)
    """Largest norm of the gradient; 0 leaves it as it is."""

    def __post_init__(self) -> None:
        check(self, "optimizer")


@dataclass(frozen=True, kw_only=True)
class TrainerConfig:
    """The loop."""

    max_steps: int = ranged(1000, least=1)
    """Optimiser steps."""
    accumulate: int = ranged(1, least=1)
    """Batches per step, of each process."""
    precision: TrainingPrecision = TrainingPrecision.auto
    devices: int = ranged(1, least=1)
    strategy: ParallelStrategy = ParallelStrategy.auto
    """How processes share the work."""
    accelerator: Accelerator = Accelerator.auto
    validate_every: int = ranged(500, least=1)
    """Steps."""
    checkpoint_every: int = ranged(100, least=1)
    """Steps."""
    average: int = ranged(5, least=0)
    """Last checkpoints whose mean is the result."""
    average_every: int = ranged(100, least=1)
    """Steps between checkpoints that are averaged."""
    log_every: int = ranged(10, least=1)
    """Steps between records of the training loss."""
    threads: int = ranged(0, least=0)
    """CPU threads; 0 leaves torch's choice."""
    progress: bool = True

    def __post_init__(self) -> None:
        check(self, "trainer")


class RunSettings(Protocol):
    """What the loop reads of a run's configuration, which is a frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def output(self) -> str:
        """Folder of checkpoints, logs and result."""

    @property
    def seed(self) -> int:
        """Decides all that is random."""

    @property
    def resume(self) -> bool:
        """Whether to go on where an interrupted run of the same folder stopped."""

    @property
    def optimizer(self) -> OptimizerConfig:
        """Of all parameters that are trained."""

    @property
    def trainer(self) -> TrainerConfig:
        """The steps."""
