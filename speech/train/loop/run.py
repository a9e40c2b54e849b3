"""Parts of a run that all tasks share: start, record, training loop, and averaging of snapshots.

A task provides a `TrainModule` and batches, and handles the trained model itself.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import lightning as L
import torch
from lightning.pytorch.callbacks import RichProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor
from torch.utils.data import IterableDataset

from speech.data.reading import Tally
from speech.errors import ConfigError, FileError
from speech.files import check_writable, printable, reason, write_atomically
from speech.ranges import check
from speech.train.loop.averaging import average, snapshots
from speech.train.loop.callbacks import Checkpoints, Metrics
from speech.train.loop.config import Accelerator, RunSettings, TrainerConfig, TrainingPrecision
from speech.train.loop.distributed import end_with_launcher, is_first, strategy
from speech.train.loop.interruption import Interruption
from speech.train.loop.module import StepBatch, TrainModule
from speech.train.loop.state import CHECKPOINT, StateFiles, read_state
from speech.train.loop.stream import Batches, SpeechData

_log = logging.getLogger(__name__)

RECORD, CURVE = "config.json", "learning_curve.png"
"""File names in a run's folder: configuration (written before the first step) and plot of the losses."""


class RunSpeech[B](NamedTuple):
    """Data of a run."""

    train: Batches[B]
    """Training batches."""
    dev: IterableDataset[B]
    """Validation batches."""
    unreadable: Tally
    """Tally of unreadable training utterances."""
    workers: int
    """Data loader processes; 0: the main process loads."""


def begin(config: RunSettings) -> Path:
    """Check settings, devices and output folder before anything is loaded, and seed the random numbers.

    Returns:
        the output folder, which exists.

    Raises:
        ConfigError, FileError: if a setting, the devices or the folder are unusable.
    """
    check(config)
    check_devices(config.trainer)
    output = Path(config.output)
    check_writable(output)
    if config.trainer.devices > 1:
        end_with_launcher()
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    L.seed_everything(config.seed, verbose=False)
    return output


def record_config(config: RunSettings, output: Path) -> None:
    """Write the final configuration to the run's folder, in the first process only."""
    if is_first():
        record = {"config": asdict(config), "torch": torch.__version__, "lightning": L.__version__}
        write_atomically(output / RECORD, json.dumps(record, indent=1, allow_nan=False) + "\n")


def fit[B: StepBatch](
    config: RunSettings,
    module: TrainModule[B],
    speech: Callable[[], RunSpeech[B]],
    output: Path,
    done: int,
    *,
    score_start: bool = False,
) -> None:
    """Run the remaining steps, then warn how many utterances could not be read.

    Args:
        config: configuration of the run.
        module: the module to train. If the run was already complete, its final parameters are loaded.
        speech: returns the data; not called if no step is left.
        output: folder of the run.
        done: steps done by an earlier run in that folder (`steps_done`).
        score_start: validate once before the first step.

    Raises:
        TrainingError, DataError, FileError: if training cannot continue.
        KeyboardInterrupt: on Ctrl-C.
    """
    settings = config.trainer
    if done >= settings.max_steps:
        module.load_state_dict(read_state(output / CHECKPOINT)["state_dict"])
        return
    train, dev, module.unreadable, workers = speech()
    data = SpeechData(train, dev, done * settings.accumulate, settings.max_steps * settings.accumulate, workers)
    interruption = Interruption()
    try:
        with interruption.awaited():
            if score_start and not done:
                build_trainer(config, output, interruption).validate(module, data, verbose=False)
            trainer = build_trainer(config, output, interruption)
            trainer.fit(module, data, ckpt_path=str(output / CHECKPOINT) if done else None, weights_only=True)
    except OSError as error:  # from the libraries' own files, such as TensorBoard's
        where = printable(error.filename) if error.filename else printable(output)
        raise FileError(f"training stopped: {reason(error)}", where=where) from error
    if module.unreadable.found:
        _log.warning("%d utterances were left out: their audio cannot be read", len(module.unreadable.found))


def averaged(settings: TrainerConfig, output: Path) -> dict[str, Tensor] | None:
    """Mean of the last snapshots; None if averaging is disabled or there are no snapshots.

    Raises:
        ModelError: if a snapshot is damaged or has non-finite values.
    """
    paths = snapshots(output / "snapshots")[-settings.average :] if settings.average else []
    return average(paths) if paths else None


def build_trainer(config: RunSettings, output: Path, interruption: Interruption) -> L.Trainer:
    """Build the Lightning trainer with our checkpoints and metrics."""
    settings = config.trainer
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*LeafSpec.*|.*`__len__` defined.*|.*in eval mode at the start.*")
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    callbacks: list[L.Callback] = [Metrics(output, settings.log_every), Checkpoints(output, settings), interruption]
    if settings.progress:
        callbacks.append(RichProgressBar(refresh_rate=5))
    return L.Trainer(
        max_steps=settings.max_steps,
        max_epochs=-1,
        accumulate_grad_batches=settings.accumulate,
        precision="bf16-mixed" if _wants_bfloat16(settings) else "32-true",
        devices=settings.devices,
        strategy=strategy(settings),
        accelerator=settings.accelerator,
        gradient_clip_val=config.optimizer.clip,
        val_check_interval=min(settings.validate_every, settings.max_steps) * settings.accumulate,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        inference_mode=settings.strategy != "fsdp",  # FSDP reuses gathered parameter buffers for training
        logger=TensorBoardLogger(output, name="tensorboard", version=""),
        callbacks=callbacks,
        plugins=[StateFiles()],
        enable_checkpointing=False,
        enable_progress_bar=settings.progress,
        enable_model_summary=False,
        log_every_n_steps=settings.log_every,
        use_distributed_sampler=False,
    )


def check_devices(settings: TrainerConfig) -> None:
    """Check that the requested devices exist.

    Raises:
        ConfigError: if they do not.
    """
    kind, wanted = settings.accelerator, settings.devices
    if kind in (Accelerator.gpu, Accelerator.cuda, Accelerator.mps):
        mps = torch.backends.mps.is_available() and kind != Accelerator.cuda
        there = torch.cuda.device_count() if kind != Accelerator.mps else 0
        if max(there, int(mps)) < wanted:
            raise ConfigError(
                f"trainer.accelerator {kind}, trainer.devices {wanted}: this machine has {there or int(mps)} of them",
                fix="Take trainer=cpu, or fewer devices.",
            )


def _wants_bfloat16(settings: TrainerConfig) -> bool:
    """Whether to compute in bfloat16: a CPU without instructions for it is seven times slower than with float32."""
    if settings.precision != TrainingPrecision.auto:
        return settings.precision == TrainingPrecision.bfloat16
    if torch.cuda.is_available() and settings.accelerator != "cpu":
        return torch.cuda.is_bf16_supported()
    return bool(torch.cpu._is_avx512_bf16_supported())
