"""The engine's thread: takes work of sessions from the event loop and returns results to it.

The event loop only moves bytes; this thread alone touches the streams. Each turn of the engine takes all work that has
arrived, so batches grow with the load, and steps the chunks of the sessions furthest behind first. Other threads read
parts (`readers.py`) and have texts translated (`translators.py`), so that a final of one session does not delay partial
results of another, and a translator delays nothing else.

An error in one session ends that session. Any other error, or errors in many sessions in a row, end the thread: the
memory of the device may be corrupted, and only a new process starts afresh.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from serve.engine.fallback import Fallback
from serve.engine.heap import trim
from serve.engine.readers import Readers
from serve.engine.translators import TranslatorThreads
from speech.stream.commands import Push, Work
from speech.stream.engine import Engine
from speech.stream.options import StreamOptions
from speech.stream.pacing import Pacing
from speech.stream.slot import Result, Slot

_log = logging.getLogger(__name__)
_TIDY_S = 60.0
_TRANSLATORS = 2
"""Threads that wait for the text translator."""
_SMALL_SAMPLES = 1600
"""Queued audio of a session is joined while the last block is shorter than this."""
_MOST_FAILURES = 16
"""Consecutive failures of sessions that end the thread."""


@dataclass(eq=False, slots=True)
class WorkerSlot:
    """One session in the worker."""

    stream: Slot
    """Its slot in the engine."""
    listener: Callable[[Result], None]
    """Called on the event loop with each result."""
    inbox: list[Work] = field(default_factory=list)
    """Work that the engine has not taken yet."""


class EngineWorker:
    """Owns the engine's thread and the readers.

    Args:
        engine: shared by all sessions.
        loop: event loop on which listeners are called.
        readers: number of threads that read parts; 0: the engine's thread reads them.
        fallback_s: CTC writes finals if a label decoder would need longer for those that wait; None: never.

    Attributes:
        failed: an error has ended the thread, and all sessions have been told.
    """

    def __init__(
        self, engine: Engine, loop: asyncio.AbstractEventLoop, readers: int = 1, fallback_s: float | None = None
    ) -> None:
        self._engine, self._loop = engine, loop
        self._slots: set[WorkerSlot] = set()
        self._wake = threading.Condition()
        self._stopped = False
        self._failures = 0
        self._tidied = time.monotonic()
        self._pacing = Pacing()
        self.failed = False
        self.readers = readers
        fallback = hurries = None
        if fallback_s is not None:
            fallback, hurries = Fallback(fallback_s, readers), engine.second_pass.hurries
        read, batch_s = engine.second_pass.read, engine.config.batch_s
        self._readers = Readers(read, readers, batch_s, self._notify, fallback, hurries)
        self._texts = None
        if engine.translator is not None:
            self._texts = TranslatorThreads(engine.translator, _TRANSLATORS, self._notify)
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def open(self, options: StreamOptions, listener: Callable[[Result], None]) -> WorkerSlot:
        """Open a slot for a session. Raises LanguageError or ConfigError if the model cannot do what is asked."""
        slot = WorkerSlot(self._engine.open(options), listener)
        with self._wake:
            self._slots.add(slot)
        return slot

    def submit(self, slot: WorkerSlot, work: Sequence[Work]) -> None:
        """Queue work of a session, in order."""
        with self._wake:
            for item in work:
                last = slot.inbox[-1] if slot.inbox else None
                if isinstance(item, Push) and isinstance(last, Push) and len(last.samples) < _SMALL_SAMPLES:
                    slot.inbox[-1] = Push(np.concatenate([last.samples, item.samples]))
                else:
                    slot.inbox.append(item)
            self._wake.notify()

    def close(self, slot: WorkerSlot) -> None:
        """Remove a session from the engine; queued work is dropped."""
        with self._wake:
            self._slots.discard(slot)

    def stop(self) -> None:
        """Stop the engine's thread, the readers and the translators."""
        with self._wake:
            self._stopped = True
            self._wake.notify()
        self._thread.join(timeout=10)
        self._readers.stop()
        if self._texts is not None:
            self._texts.stop()

    def _notify(self) -> None:
        with self._wake:
            self._wake.notify()

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:
            _log.critical("the engine has failed; the server has to be started again", exc_info=True)
            with self._wake:
                self.failed = True
                slots, self._slots = self._slots, set()
            for slot in slots:
                self._tell(slot, Result([], [], slot.stream.reported_s, 0.0, 0.0, error))

    def _work(self) -> None:
        while True:
            with self._wake:
                while not (self._stopped or self._news):
                    if not self._wake.wait(self._pacing.patience([slot.stream for slot in self._slots])):
                        break
                if self._stopped:
                    return
            while self._turn():
                pass

    @property
    def _news(self) -> bool:
        """Whether there is something to do, as far as other threads know."""
        read = self._readers.ready or (self._texts is not None and self._texts.ready)
        return read or any(slot.inbox for slot in self._slots)

    def _turn(self) -> bool:
        """Run one turn of the engine over all sessions; returns whether there may be more to do."""
        with self._wake:
            if self._stopped:
                return False
            slots = list(self._slots)
            for slot in slots:
                slot.stream.waiting += slot.inbox
                slot.inbox.clear()
        more = self._engine.turn([slot.stream for slot in slots], self._readers, self._pacing, self._texts)
        succeeded = [self._report(slot) for slot in slots]
        self._count(sum(slot.stream.error is not None for slot in slots), any(succeeded))
        self._tidy()
        return more

    def _report(self, slot: WorkerSlot) -> bool:
        """Pass the result of a turn to the listener; returns whether the session did some work without an error."""
        result = slot.stream.report(self._engine.smallest(fine=False))
        if result is None:
            return False
        if result.error is not None:
            self.close(slot)
        self._tell(slot, result)
        return result.error is None and bool(result.stepped_s or result.read_s)

    def _tell(self, slot: WorkerSlot, result: Result) -> None:
        try:
            self._loop.call_soon_threadsafe(slot.listener, result)
        except RuntimeError:  # the loop has been closed
            self._stopped = True

    def _count(self, failures: int, succeeded: bool) -> None:
        self._failures = 0 if succeeded else self._failures + failures
        if self._failures >= _MOST_FAILURES:
            raise RuntimeError(f"{self._failures} sessions failed one after the other")

    def _tidy(self) -> None:
        """Return freed memory to the system once a minute: tensors of varying sizes fragment the heap."""
        if time.monotonic() - self._tidied > _TIDY_S:
            self._tidied = time.monotonic()
            trim()
