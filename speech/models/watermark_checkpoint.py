"""Checkpoints of watermarks: `config.json`, `model.safetensors` and `README.md`; the record has the threshold."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from speech.choices import Storage
from speech.errors import ConfigError, ModelError
from speech.files import replacing_folder
from speech.models.storage import (
    RECORD,
    WATERMARK,
    load_weights,
    read_record,
    save_weights,
    without_memory,
    write_record,
)
from speech.models.watermark import Watermark, WatermarkConfig

_WEIGHTS = {"model.safetensors": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """From where on a recording and a window count as marked, and how often unmarked ones do."""

    evidence: float
    """Evidence from which on a recording counts as marked, where it is taken to be played as it was marked."""
    played: float
    """How much more is asked where it is taken to be played faster or slower: there are more such ways to be wrong."""
    growth: float
    """How much more is asked of a recording e times as long as `duration_s`: it has more places for a false alarm."""
    duration_s: float
    """Mean duration of the recordings that the threshold was set on; shorter ones are not asked for less."""
    false_alarms: float
    """Share of unmarked recordings that reach it at one speed or another, as it was measured when it was set."""
    recordings: int
    """Unmarked recordings that it was measured on; 0: not measured."""
    logit: float
    """Score from which on a window of a marked recording counts as marked."""
    window_false_alarms: float
    """Share of unmarked windows that reach it at their own speed."""
    windows: int
    """Unmarked windows that it was measured on; 0: not measured."""

    def of(self, duration_s: float, speed: float = 1.0) -> float:
        """The evidence that a recording of so many seconds needs, if it is taken to be played at a speed."""
        played = 0.0 if speed == 1.0 else self.played
        return self.evidence + played + self.growth * math.log(max(duration_s / self.duration_s, 1.0))


@dataclass(frozen=True, slots=True)
class WatermarkCheckpoint:
    """A loaded watermark with its threshold and metadata."""

    model: Watermark
    threshold: Threshold
    info: dict[str, Any]
    """Origin and training metadata."""


def save_watermark_checkpoint(
    directory: Path,
    checkpoint: WatermarkCheckpoint,
    *,
    card: str,
    storage: Storage = Storage.float32,
    attached: Mapping[str, Path] | None = None,
) -> None:
    """Write a watermark's checkpoint atomically; an existing one is replaced.

    Args:
        directory: target directory.
        checkpoint: networks, threshold, and JSON-serializable metadata.
        card: model card in Markdown, written to `README.md`.
        storage: precision on disk.
        attached: name in the directory -> file to copy there.

    Raises:
        FileError: if a file cannot be written.
        ModelError: if a parameter is not finite, or too large for `storage`.
    """
    with replacing_folder(directory) as folder:
        save_weights(folder, _WEIGHTS, checkpoint.model, storage, directory)
        record = {
            "model": dataclasses.asdict(checkpoint.model.config),
            "threshold": dataclasses.asdict(checkpoint.threshold),
            "info": checkpoint.info,
        }
        write_record(folder, WATERMARK, record, card, attached)


def load_watermark_checkpoint(directory: Path, *, device: str | torch.device = "cpu") -> WatermarkCheckpoint:
    """Load a watermark in float32 and evaluation mode.

    Raises:
        ModelError: naming file and key, if something is missing, unknown or does not fit, or a number is not finite.
    """
    config, threshold, info = _record(directory)
    with without_memory():
        model = config.build()
    load_weights(model, directory, _WEIGHTS, as_stored=False)
    return WatermarkCheckpoint(model.to(device), threshold, info)


def load_watermark_config(directory: Path) -> WatermarkConfig:
    """The shape of a checkpoint's networks; errors as `load_watermark_checkpoint`."""
    return _record(directory)[0]


def _record(directory: Path) -> tuple[WatermarkConfig, Threshold, dict[str, Any]]:
    record = read_record(directory, (WATERMARK,), _WEIGHTS, ("model", "threshold", "info"))
    where = str(directory / RECORD)
    try:
        config, threshold = WatermarkConfig(**record["model"]), Threshold(**record["threshold"])
        valid = _valid(threshold)
    except (TypeError, ValueError, ConfigError) as error:
        raise ModelError(f"has a wrong or missing key: {error}", where=where) from error
    if not valid:
        raise ModelError(f"threshold {record['threshold']} is no threshold", where=where)
    return config, threshold, record["info"]


def _valid(threshold: Threshold) -> bool:
    numbers = (threshold.evidence, threshold.played, threshold.logit, threshold.duration_s)
    finite = all(map(math.isfinite, numbers))
    shares = (threshold.false_alarms, threshold.window_false_alarms)
    return finite and threshold.growth >= 0 and threshold.duration_s > 0 and all(0 <= share <= 1 for share in shares)
