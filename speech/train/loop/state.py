"""`last.ckpt`: the resumable state of a run. It is data only: reading it executes nothing."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from lightning.pytorch.plugins.io import CheckpointIO
from torch import Tensor

from speech.errors import ConfigError, FileError, ModelError
from speech.files import printable, reason, replacing
from speech.tensors import check_finite
from speech.train.loop.config import RunSettings

CHECKPOINT = "last.ckpt"

_log = logging.getLogger(__name__)


class StateFiles(CheckpointIO):
    """Lightning plugin that reads and writes checkpoints: atomically, and only with finite values.

    Lightning's own plugin misinterprets brackets, colons and stars in a path as a URL or pattern.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint.

        Raises:
            FileError: if it cannot be written; an older file is kept.
            ModelError: if a parameter is not finite; names the first one and keeps an older file.
        """
        where = printable(path)
        check_finite(dict(_tensors(checkpoint)), where, "It has not been written: the file holds the steps before.")
        with replacing(Path(path)) as temporary, temporary.open("wb") as file:
            try:
                torch.save(checkpoint, file)
            except RuntimeError as error:  # raised when the archive is closed after a failed write
                if isinstance(error.__context__, OSError):
                    raise error.__context__ from None
                raise

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Read a checkpoint; see `read_state`."""
        return read_state(Path(path))

    def remove_checkpoint(self, path: Any) -> None:
        """Delete a checkpoint."""
        Path(path).unlink(missing_ok=True)


def read_state(path: Path) -> dict[str, Any]:
    """Read a checkpoint of `StateFiles` to the CPU, memory-mapped.

    Raises:
        FileError: if the file cannot be read.
        ModelError: if it is not a checkpoint, holds more than data, or has non-finite values.
    """
    where, fix = printable(path), "Delete it to begin anew, or put a copy back."
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except OSError as error:
        raise FileError(f"cannot be read: {reason(error)}", where=where) from error
    except (UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0].partition(". ")[0]
        raise ModelError(f"is no checkpoint of a run: {said}", where=where, fix=fix) from error
    if not isinstance(state, dict) or not {"global_step", "state_dict", "optimizer_states"} <= state.keys():
        raise ModelError("is no checkpoint of a run", where=where, fix=fix)
    check_finite(dict(_tensors(state)), where, fix)
    return state


def steps_done(config: RunSettings, output: Path) -> int:
    """Number of steps done by an earlier run in this folder; 0 if there is none.

    Raises:
        ConfigError: if there is one and `resume` is false.
        FileError, ModelError: as `read_state`.
    """
    last = output / CHECKPOINT
    if not last.is_file():
        return 0
    if not config.resume:
        raise ConfigError(f"{output} holds a run", fix="Give another output, or resume=true to continue it.")
    done = int(read_state(last)["global_step"])
    _log.info("resuming at step %d", done)
    return done


def _tensors(state: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """All tensors in nested mappings and sequences, with their key paths."""
    if isinstance(state, Tensor):
        yield name, state
    elif isinstance(state, Mapping | list | tuple):
        for key, value in state.items() if isinstance(state, Mapping) else enumerate(state):
            yield from _tensors(value, f"{name}.{key}" if name else str(key))
