"""What pools of workers have in common, wherever their workers are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from speech.errors import SpeechError
from speech.files import printable
from speech.transcript import Transcript

Read = Callable[[str], Transcript]
"""Reads one file; raises SpeechError where it cannot."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeouts:
    """How long workers are waited for, seconds."""

    start_s: float = 30.0
    """For a process on a cluster to be there, whatever it would do."""
    load_s: float = 600.0
    """For a worker to hold the model."""
    read_s: float = 6 * 3600.0
    """For a file. A worker that is silent for longer has died of it, as one whose process has ended."""


class Outcome(NamedTuple):
    """What came of a file."""

    path: str
    result: Transcript | SpeechError | None
    """None: the worker died."""


class Worker(Protocol):
    """One that reads a file or none."""

    path: str | None


class Workers[W: Worker]:
    """Who of some workers has a file."""

    _workers: list[W]

    @property
    def free(self) -> int:
        """Workers that wait for a file."""
        return sum(worker.path is None for worker in self._workers)

    @property
    def busy(self) -> int:
        """Workers that read one."""
        return len(self._workers) - self.free

    def _give(self, path: str) -> W:
        """A worker that was free, and has the file now."""
        worker = next(worker for worker in self._workers if worker.path is None)
        worker.path = path
        return worker


def answer(read: Read, path: str) -> Transcript | SpeechError:
    """What a reader says of a file, whatever happens short of death."""
    try:
        return read(path)
    except SpeechError as error:
        return error
    except Exception as error:  # whatever it is, the other files are read
        return SpeechError(f"could not be read: {type(error).__name__}: {error}", where=printable(path))
