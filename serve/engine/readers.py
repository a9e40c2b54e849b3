"""Threads that read parts of live sessions with full context, while the engine's thread steps the chunks.

A part is read as soon as it is complete. If nothing else waits, it is read already during the pause that will complete
it; if the speaker goes on after all, that reading is discarded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from serve.engine.fallback import Fallback
from serve.engine.queue_threads import QueueThreads
from speech.recognize.request import Request
from speech.stream.readings import PartReading, Read, fitting, read_batch

_STOP_S = 10.0


class Readers(QueueThreads[PartReading]):
    """A `ReadingQueue` whose threads take the most urgent readings first.

    Args:
        read: as `PartReader.read`.
        batch_s: maximum padded seconds of a batch; a single part may be longer.
        threads, notify: see `QueueThreads`.
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
        self._read, self._batch_s = read, batch_s
        self._fallback, self._hurries = fallback, hurries
        super().__init__("reader", threads, notify, _STOP_S)

    @property
    def ahead(self) -> bool:
        """True: idle threads may read ahead."""
        return True

    def _batch(self, wanted: Sequence[PartReading]) -> int:
        count = fitting(wanted, self._batch_s)
        self._hurry(wanted, count)
        return count

    def _hurry(self, wanted: Sequence[PartReading], count: int) -> None:
        """Leave those of the first `count` readings to CTC behind which too much waits; the decoder keeps the last."""
        if self._fallback is None:
            return
        waiting = [reading for reading in wanted if reading.complete and reading.seconds]
        seconds = [reading.seconds for reading in waiting]
        for number, reading in enumerate(waiting):
            if reading in wanted[:count]:
                can = self._hurries is None or self._hurries(reading.requests[0])
                reading.quick = can and self._fallback.quick(seconds[number:])

    def _do(self, batch: Sequence[PartReading]) -> None:
        read_batch(self._read, batch)

    def _finished(self, batch: Sequence[PartReading]) -> None:
        if self._fallback is not None and not any(reading.quick or reading.error for reading in batch):
            audio_s = sum(reading.seconds for reading in batch)
            self._fallback.measure(audio_s, sum(reading.busy_s for reading in batch) if audio_s else 0.0)
