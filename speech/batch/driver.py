"""Runs files through a pool of workers and records their status in the ledger."""

from __future__ import annotations

import os
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from speech.batch.ledger import Ledger
from speech.batch.pool import Outcome
from speech.errors import FileError, SpeechError
from speech.files import name_is_refused, printable
from speech.transcript import Transcript

CRASHES = 2
"""Worker deaths on one file before it is quarantined."""


class WorkerPool(Protocol):
    """A pool of workers that read files, local or remote."""

    @property
    def free(self) -> int:
        """Number of files that can be submitted now."""

    @property
    def busy(self) -> int:
        """Number of files that are being read."""

    def submit(self, path: str) -> None:
        """Start reading a file."""

    def wait(self) -> list[Outcome]:
        """Block until there is something to report and return the outcomes."""

    def close(self) -> None:
        """End the workers."""


def run(
    todo: Sequence[str], ledger: Ledger, pool: WorkerPool, write: Callable[[str, Transcript], Path]
) -> Iterator[tuple[str, Transcript | SpeechError]]:
    """Read the files and yield each once, after its result is written and its row in the ledger is set.

    Args:
        todo: paths from `Ledger.plan`.
        ledger: records the outcome of each file.
        pool: of workers.
        write: writes a transcript atomically and returns its path.

    Raises:
        FileError: if the ledger or a result cannot be written.
    """
    waiting = deque(todo)
    while waiting or pool.busy:
        while waiting and pool.free:
            pool.submit(waiting.popleft())
        for path, result in pool.wait():
            if isinstance(result, Transcript):
                place = _write(path, result, write)
                if isinstance(place, Path):
                    ledger.done(path, place, result.duration_s)
                    yield path, result
                    continue
                result = place
            if isinstance(result, SpeechError):
                ledger.failed(path, str(result))
                yield path, result
            elif ledger.crashed(path, CRASHES):
                where = printable(path)
                yield path, SpeechError(f"killed its worker {CRASHES} times", where=where, fix="Look at the file.")
            else:
                waiting.append(path)  # goes last, so that it does not hold up other files


def _write(path: str, result: Transcript, write: Callable[[str, Transcript], Path]) -> Path | SpeechError:
    """Write a result and return its path, or the error if only this file is affected; raises FileError otherwise."""
    try:
        return write(path, result)
    except FileError as error:
        if not name_is_refused(error):
            raise
        return error
    except SpeechError as error:
        return error


def shard(files: Sequence[str], number: int, count: int) -> list[str]:
    """The files of shard `number` (from 0) of `count`.

    Sharding uses paths relative to the common parent folder, so it is the same on every machine that sees the same
    files, wherever they are mounted.
    """
    if not files:
        return []
    absolute = [Path(file).absolute() for file in files]
    base = os.path.commonpath([path.parent for path in absolute])
    names = [path.relative_to(base).as_posix() for path in absolute]
    return [file for file, name in zip(files, names, strict=True) if zlib.crc32(os.fsencode(name)) % count == number]
