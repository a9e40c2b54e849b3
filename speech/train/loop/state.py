"""`last.ckpt`: everything that a run needs to go on. It is data only: nothing in it is executed when it is read."""

from __future__ import annotations

import logging
import signal
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
    """How Lightning writes and reads a run: a file appears whole or not at all, and only with finite numbers in it.

    Its own writer takes brackets, colons and stars in a path for an address of its file systems.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write it.

        Raises:
            FileError: if the system refuses; an older file stays as it is.
            ModelError: naming the first parameter that is not finite; likewise.
        """
        where = printable(path)
        check_finite(dict(_tensors(checkpoint)), where, "It has not been written: the file holds the steps before.")
        with replacing(Path(path)) as temporary, temporary.open("wb") as file:
            try:
                torch.save(checkpoint, file)
            except RuntimeError as error:  # of its archive, which it closes though a part could not be written
                if isinstance(error.__context__, OSError):
                    raise error.__context__ from None
                raise

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """See `read_state`."""
        return read_state(Path(path))

    def remove_checkpoint(self, path: Any) -> None:
        """Delete it."""
        Path(path).unlink(missing_ok=True)


@contextmanager
def interrupts_later() -> Iterator[None]:
    """Ctrl-C waits until what is within is done: while a library writes, and calls back from C, it would be lost."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)
    if came:
        raise KeyboardInterrupt


def read_state(path: Path) -> dict[str, Any]:
    """What `StateFiles` wrote, on the CPU, read from the disk as far as it is used.

    Raises:
        FileError: if it cannot be read.
        ModelError: if it is something else, holds more than data, or numbers that are not finite.
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
    """Steps of the interrupted run in this folder.

    Raises:
        ConfigError: if there is one, and it shall not go on.
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
    """All that lie in nested tables and lists, each by the keys that lead to it."""
    if isinstance(state, Tensor):
        yield name, state
    elif isinstance(state, Mapping | list | tuple):
        for key, value in state.items() if isinstance(state, Mapping) else enumerate(state):
            yield from _tensors(value, f"{name}.{key}" if name else str(key))
