"""Goes through files with a pool of workers and keeps the ledger."""

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
"""Workers that may die over a file before it is quarantined."""


class WorkerPool(Protocol):
    """Workers that read files, wherever they are."""

    @property
    def free(self) -> int:
        """Files that can be submitted now."""

    @property
    def busy(self) -> int:
        """Files that are being read."""

    def submit(self, path: str) -> None:
        """Begin to read a file."""

    def wait(self) -> list[Outcome]:
        """What has come of some files, when there is something."""

    def close(self) -> None:
        """End the workers."""


def run(
    todo: Sequence[str], ledger: Ledger, pool: WorkerPool, write: Callable[[str, Transcript], Path]
) -> Iterator[tuple[str, Transcript | SpeechError]]:
    """Read the files; each is yielded once, when its result is written and its row set.

    Args:
        todo: as `Ledger.plan` gave them.
        ledger: is told of everything.
        pool: of workers.
        write: puts a transcript at its place, atomically, and says where.

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
                waiting.append(path)  # last, so that others are not held up by it


def _write(path: str, result: Transcript, write: Callable[[str, Transcript], Path]) -> Path | SpeechError:
    """Where a result lies, or why this one cannot be written. Raises FileError where no other could be either."""
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

    They are the same on every machine that sees the same files, wherever it sees them.
    """
    if not files:
        return []
    absolute = [Path(file).absolute() for file in files]
    base = os.path.commonpath([path.parent for path in absolute])
    names = [path.relative_to(base).as_posix() for path in absolute]
    return [file for file, name in zip(files, names, strict=True) if zlib.crc32(os.fsencode(name)) % count == number]
