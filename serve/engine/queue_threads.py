"""Threads beside the engine's: they take what live sessions want, and keep the results until they are collected."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from typing import Protocol


class Keyed(Protocol):
    """Work, which holds its own result."""

    @property
    def key(self) -> Hashable:
        """Key for deduplication: of work with the same key, one is under way or waits to be collected."""


class QueueThreads[Work: Keyed](ABC):
    """A queue between the engine's thread, which wants work done, and the threads that do it.

    Subclasses set their own attributes first: the threads start in the constructor.

    Args:
        name: of the threads.
        threads: number of threads; 0: `want` does the work at once, on the caller's thread.
        notify: called after each batch, on the thread that did it.
        stop_s: maximum seconds that `stop` waits for each thread.
    """

    def __init__(self, name: str, threads: int, notify: Callable[[], None], stop_s: float) -> None:
        self._notify, self._stop_s = notify, stop_s
        self._changed = threading.Condition()
        self._wanted: list[Work] = []
        self._done: list[Work] = []
        self._taken: set[Hashable] = set()
        self._stopped = False
        self._threads = [threading.Thread(target=self._run, name=name, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    @property
    def ready(self) -> bool:
        """Whether there are results to collect."""
        return bool(self._done)

    def want(self, wanted: Sequence[Work]) -> None:
        """Replace the work that has not begun by this, most urgent first."""
        with self._changed:
            self._wanted = [work for work in wanted if work.key not in self._taken]
            if self._wanted:
                self._changed.notify_all()
        while not self._threads and self._wanted:
            self._serve(self._take())

    def collect(self) -> list[Work]:
        """Return the work finished since the last call."""
        with self._changed:
            done, self._done = self._done, []
            self._taken.difference_update(work.key for work in done)
            return done

    def stop(self) -> None:
        """Stop the threads, each after its current batch."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=self._stop_s)

    def _batch(self, wanted: Sequence[Work]) -> int:
        """How many of the first works are done together, at least 1; called with the lock held."""
        return 1

    @abstractmethod
    def _do(self, batch: Sequence[Work]) -> None:
        """Do work; errors become its result."""

    def _finished(self, batch: Sequence[Work]) -> None:  # noqa: B027 - not all learn
        """Learn from finished work; called with the lock held."""

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._wanted and not self._stopped:
                    self._changed.wait()
                if self._stopped:
                    return
                batch = self._take()
            self._serve(batch)

    def _take(self) -> list[Work]:
        count = self._batch(self._wanted)
        batch, self._wanted = self._wanted[:count], self._wanted[count:]
        self._taken.update(work.key for work in batch)
        return batch

    def _serve(self, batch: Sequence[Work]) -> None:
        self._do(batch)
        with self._changed:
            self._finished(batch)
            self._done += batch
        self._notify()
