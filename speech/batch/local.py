"""Pool of worker processes on this machine; a worker that dies is replaced, and its file is reported."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from speech.batch.pool import Outcome, Read, Timeouts, Workers, answer
from speech.errors import SpeechError


class WorkerError(SpeechError):
    """The workers cannot start."""


@dataclass(slots=True)
class _WorkerProcess:
    process: SpawnProcess
    connection: Connection
    path: str | None = None
    ready: bool = False
    since: float = field(default_factory=time.monotonic)
    """Start of the current task, in `time.monotonic` seconds."""


@contextmanager
def _without_interruption() -> Iterator[None]:
    """Block SIGINT while workers start: Ctrl-C reaches every process of a terminal, and the parent ends the workers."""
    resource_tracker.ensure_running()  # starting it later would unblock SIGINT again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class LocalPool(Workers[_WorkerProcess]):
    """Pool of worker processes.

    Args:
        open_reader: called once in each worker; a SpeechError that it raises ends the pool. Several, such as one per
            GPU, are assigned round-robin.
        workers: number of processes.
        limits: timeouts.
    """

    def __init__(
        self,
        open_reader: Callable[[], Read] | Sequence[Callable[[], Read]],
        workers: int = 1,
        *,
        limits: Timeouts | None = None,
    ) -> None:
        self._open_readers = [open_reader] if callable(open_reader) else list(open_reader)
        self._limits = limits or Timeouts()
        self._context = multiprocessing.get_context("spawn")
        self._workers = [self._start(number) for number in range(workers)]

    def _start(self, number: int) -> _WorkerProcess:
        ours, theirs = self._context.Pipe()
        open_reader = self._open_readers[number % len(self._open_readers)]
        process = self._context.Process(target=_work, args=(theirs, open_reader), daemon=True)
        with _without_interruption():
            process.start()
        theirs.close()
        return _WorkerProcess(process, ours)

    def submit(self, path: str) -> None:
        """Give a file to a free worker."""
        worker = self._give(path)
        if worker.ready:
            self._send(worker)

    def _send(self, worker: _WorkerProcess) -> None:
        worker.since = time.monotonic()
        with contextlib.suppress(OSError):  # the worker is dead; `wait` will notice
            worker.connection.send(worker.path)

    def wait(self) -> list[Outcome]:
        """Block until at least one file is finished and return the outcomes.

        Raises:
            SpeechError: if a worker cannot start.
        """
        found: list[Outcome] = []
        while not found:
            connections = {worker.connection: n for n, worker in enumerate(self._workers)}
            for connection in wait(list(connections), self._end_the_silent()):
                number = connections[connection]  # type: ignore[index]
                outcome = self._receive(number)
                if outcome is not None:
                    found.append(outcome)
        return found

    def _end_the_silent(self) -> float | None:
        """Kill workers that exceeded their time limit; return the seconds until the next limit, or None.

        Raises:
            WorkerError: if a worker is not ready in time.
        """
        now, left = time.monotonic(), list[float]()
        for worker in self._workers:
            limit = self._limits.read_s if worker.ready else self._limits.load_s
            if worker.ready and worker.path is None:
                continue
            if now < worker.since + limit:
                left.append(worker.since + limit - now)
            elif worker.ready:
                worker.process.kill()  # its file is reported when the connection closes
            else:
                raise WorkerError(f"a worker was not ready within {limit:g} s", fix="Look at the model's files.")
        return min(left, default=None)

    def _receive(self, number: int) -> Outcome | None:
        worker = self._workers[number]
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            worker.process.join()
            worker.connection.close()
            if not worker.ready:
                raise WorkerError(
                    f"a worker ended with code {worker.process.exitcode} before it was ready",
                    fix="Look at what it printed; with less memory than it needs, use fewer workers.",
                ) from None
            self._workers[number] = self._start(number)
            return None if worker.path is None else Outcome(worker.path, None)
        if isinstance(message, str):  # ready
            worker.ready = True
            if worker.path is not None:
                self._send(worker)
            return None
        if not worker.ready:
            raise message
        path, worker.path = worker.path, None
        assert path is not None
        return Outcome(path, message)

    def close(self) -> None:
        """Kill all workers, busy or not."""
        for worker in self._workers:
            worker.process.kill()
            worker.process.join()
            worker.connection.close()


def _work(connection: Connection, open_reader: Callable[[], Read]) -> None:
    """Worker main loop: report ready, then answer each path with a transcript or an error until the pipe closes."""
    try:
        read = open_reader()
    except SpeechError as error:
        connection.send(error)
        return
    try:
        connection.send("ready")
        while True:
            connection.send(answer(read, connection.recv()))
    except (EOFError, OSError, KeyboardInterrupt):
        return
