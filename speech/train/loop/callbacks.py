"""Callbacks of the trainer: resumable checkpoints, snapshots to average, and the metrics record."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import lightning as L
import torch

from speech.errors import FileError
from speech.files import printable, reason, write_atomically
from speech.text.lines import lines_of
from speech.train.loop.averaging import save_snapshot
from speech.train.loop.config import TrainerConfig
from speech.train.loop.module import TrainModule
from speech.train.loop.state import CHECKPOINT

METRICS = "metrics.jsonl"


class Checkpoints(L.Callback):
    """Saves a resumable checkpoint every few steps, atomically, and snapshots to average.

    Must come after `Metrics`, so that the metrics of a step are written before its checkpoint.
    """

    def __init__(self, folder: Path, settings: TrainerConfig) -> None:
        self.folder = folder
        self.settings = settings
        self.validate_every = min(settings.validate_every, settings.max_steps)
        self.seen = 0
        """Last optimiser step that was handled; a step has several batches."""

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.seen = trainer.global_step

    def on_train_batch_end(self, trainer: L.Trainer, module: L.LightningModule, *_: Any) -> None:
        step, settings = trainer.global_step, self.settings
        if step == self.seen:
            return
        self.seen = step
        assert isinstance(module, TrainModule)
        if step % settings.average_every == 0 and settings.average > 0:
            save_snapshot(module.model, self.folder / "snapshots", step, settings.average)
        if step % self.validate_every:
            self._save(trainer)

    def on_validation_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        if not trainer.sanity_checking:
            self._save(trainer)

    def _save(self, trainer: L.Trainer) -> None:
        if trainer.global_step % self.settings.checkpoint_every == 0:
            trainer.save_checkpoint(self.folder / CHECKPOINT)


class Metrics(L.Callback):
    """Appends the metrics of each logged step as a JSON line; the learning curve is drawn from them."""

    def __init__(self, folder: Path, every: int) -> None:
        self.path = folder / METRICS
        self.every = every
        self.start = time.monotonic()
        self.audio_s = 0.0
        self.last = 0

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Drop the lines of steps that will be repeated."""
        self.start = time.monotonic()
        self.last = trainer.global_step
        if self.path.is_file() and trainer.is_global_zero:
            kept = [row for row in read_metrics(self.path) if row["step"] <= trainer.global_step]
            write_atomically(self.path, "".join(json.dumps(row, allow_nan=False) + "\n" for row in kept))

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.audio_s += float(batch.sample_lengths.sum()) / batch.sample_rate
        if trainer.global_step % self.every or trainer.global_step == self.last:
            return
        self.last = trainer.global_step
        elapsed = time.monotonic() - self.start
        audio_s = trainer.strategy.reduce(torch.tensor(self.audio_s, device=module.device), reduce_op="sum")
        self._write(trainer, "train/", {"audio_per_s": float(audio_s) / elapsed, "seconds": elapsed})

    def on_validation_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        if not trainer.sanity_checking:
            self._write(trainer, "dev/", {})

    def _write(self, trainer: L.Trainer, prefix: str, extra: dict[str, float]) -> None:
        if not trainer.is_global_zero:
            return
        values = {k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith(prefix)}
        row = {"step": trainer.global_step, **{k: finite(v) for k, v in (values | extra).items()}}
        append_line(self.path, json.dumps(row, allow_nan=False))


def finite(value: float) -> float | None:
    """A number for the record: rounded to five places; None (null) if it is not finite."""
    return round(value, 5) if math.isfinite(value) else None


def append_line(path: Path, line: str) -> None:
    """Append a line to a record.

    Raises:
        FileError: if it cannot be written.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError as error:
        raise FileError(f"cannot be written: {reason(error)}", where=printable(path)) from error


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Read the lines of a record as dicts of a number or None by name; skips lines cut off by a kill."""
    rows = []
    for line in lines_of(path.read_bytes().decode("utf-8", "replace")):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and "step" in row:
            rows.append(row)
    return rows
