"""Threads that read parts of live sessions with full context, while the engine's thread steps the chunks.

A part is read as soon as it is complete. If nothing else waits, it is read already during the pause that will complete
it; if the speaker goes on after all, that reading is discarded.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence

from serve.engine.fallback import Fallback
from speech.recognize.request import Request
from speech.stream.readings import PartReading, Read, fitting, read_batch


class Readers:
    """A `ReadingQueue` whose threads take the most urgent readings first.

    Args:
        read: as `PartReader.read`.
        threads: number of threads; 0: `want` reads at once, on the caller's thread.
        batch_s: maximum padded seconds of a batch; a single part may be longer.
        notify: called after each batch.
        fallback: decides when CTC replaces the label decoder; None: never.
        hurries: whether CTC can write a request, see `PartReader`; None: always.
    """

    def __init__(
        self,
        read: Read,
        threads: int,
        batch_s: float,
        notify: Callable[[], None],
        fallback: Fallback | None = None,
        hurries: Callable[[Request], bool] | None = None,
    ) -> None:
        self._read, self._notify, self._batch_s = read, notify, batch_s
        self._fallback, self._hurries = fallback, hurries
        self._changed = threading.Condition()
        self._wanted: list[PartReading] = []
        self._done: list[PartReading] = []
        self._taken: set[Hashable] = set()
        self._stopped = False
        self._threads = [threading.Thread(target=self._run, name="reader", daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    @property
    def ahead(self) -> bool:
        """True: idle threads may read ahead."""
        return True

    def want(self, readings: Sequence[PartReading]) -> None:
        """Replace the readings that have not begun by these, most urgent first."""
        with self._changed:
            self._wanted = [reading for reading in readings if reading.key not in self._taken]
            if self._wanted:
                self._changed.notify_all()
        while not self._threads and self._wanted:
            self._serve(self._take())

    @property
    def ready(self) -> bool:
        """Whether finished readings can be collected."""
        return bool(self._done)

    def collect(self) -> list[PartReading]:
        """Return the readings that have finished since the last call."""
        with self._changed:
            done, self._done = self._done, []
            self._taken.difference_update(reading.key for reading in done)
            return done

    def stop(self) -> None:
        """Stop the threads, each after its current batch."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=10)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._wanted and not self._stopped:
                    self._changed.wait()
                if self._stopped:
                    return
                batch = self._take()
            self._serve(batch)

    def _take(self) -> list[PartReading]:
        """Take the first readings, as many as fit into a batch."""
        count = fitting(self._wanted, self._batch_s)
        self._hurry(count)
        batch, self._wanted = self._wanted[:count], self._wanted[count:]
        self._taken.update(reading.key for reading in batch)
        return batch

    def _hurry(self, count: int) -> None:
        """Leave those of the first `count` readings to CTC behind which too much waits; the decoder keeps the last."""
        if self._fallback is None:
            return
        waiting = [reading for reading in self._wanted if reading.complete and reading.seconds]
        seconds = [reading.seconds for reading in waiting]
        for number, reading in enumerate(waiting):
            if reading in self._wanted[:count]:
                can = self._hurries is None or self._hurries(reading.requests[0])
                reading.quick = can and self._fallback.quick(seconds[number:])

    def _serve(self, batch: Sequence[PartReading]) -> None:
        read_batch(self._read, batch)
        with self._changed:
            if self._fallback is not None and not any(reading.quick or reading.error for reading in batch):
                audio_s = sum(reading.seconds for reading in batch)
                self._fallback.measure(audio_s, sum(reading.busy_s for reading in batch) if audio_s else 0.0)
            self._done += batch
        self._notify()
