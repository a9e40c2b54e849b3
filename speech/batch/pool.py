"""Interface and shared code of worker pools."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from speech.errors import SpeechError
from speech.files import printable
from speech.transcript import Transcript

Read = Callable[[str], Transcript]
"""Reads one file; raises SpeechError on failure."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeouts:
    """Timeouts of workers, in seconds."""

    start_s: float = 30.0
    """For a process on a cluster to start, before any work."""
    load_s: float = 600.0
    """For a worker to load the model."""
    read_s: float = 6 * 3600.0
    """For one file. A worker that is silent for longer counts as dead."""


class Outcome(NamedTuple):
    """The outcome of a file."""

    path: str
    result: Transcript | SpeechError | None
    """None: the worker died."""


class Worker(Protocol):
    """A worker, which reads one file at most."""

    path: str | None


class Workers[W: Worker]:
    """Base class of pools: tracks which worker has which file."""

    _workers: list[W]

    @property
    def free(self) -> int:
        """Number of idle workers."""
        return sum(worker.path is None for worker in self._workers)

    @property
    def busy(self) -> int:
        """Number of workers that are reading a file."""
        return len(self._workers) - self.free

    def _give(self, path: str) -> W:
        """Assign a file to a free worker and return the worker."""
        worker = next(worker for worker in self._workers if worker.path is None)
        worker.path = path
        return worker


def answer(read: Read, path: str) -> Transcript | SpeechError:
    """Read one file and return the transcript or an error; never raises an `Exception`."""
    try:
        return read(path)
    except SpeechError as error:
        return error
    except Exception as error:  # any failure affects this file only
        return SpeechError(f"could not be read: {type(error).__name__}: {error}", where=printable(path))
