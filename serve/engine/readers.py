"""Threads that read the parts of live sessions with full context, while chunks of all sessions are stepped elsewhere.

A part is read as soon as it is complete; where nothing else waits, already while the pause that will complete it goes
on. Should somebody speak on after all, that reading was for nothing, and says nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace

from serve.engine.fallback import Fallback
from speech.audio import SAMPLE_RATE
from speech.recognize.parts import Part
from speech.recognize.request import Request
from speech.recognize.result import PartResult

_Read = Callable[[Sequence[Part], Sequence[Request]], list[PartResult]]


@dataclass(eq=False, kw_only=True, slots=True)
class Reading:
    """A part that is to be read, and then what it says."""

    owner: Hashable
    part: Part
    requests: Sequence[Request]
    partial: bool = False
    """It is under way and read for partial results; one of an owner at a time."""
    complete: bool = True
    """Whether it is a part already, and somebody waits for it."""
    quick: bool = False
    """Whether CTC writes its transcript, because the decoder would be too late."""
    heard: list[PartResult] = field(default_factory=list)
    """One for each request."""
    error: Exception | None = None
    busy_s: float = 0.0

    @property
    def key(self) -> Hashable:
        """Equal for what need not be read twice."""
        return (self.owner, "partial") if self.partial else (self.owner, self.part.place, tuple(self.requests))

    @property
    def seconds(self) -> float:
        """Of audio in which somebody may speak."""
        return 0.0 if self.part.silent else len(self.part.samples) / SAMPLE_RATE

    @property
    def asked(self) -> list[Request]:
        """What is asked of the model: translations are the decoder's alone."""
        return [replace(one, quick=True) if self.quick and one.to is None else one for one in self.requests]


class Readers:
    """Some threads, which take what is wanted most.

    Args:
        read: as `FullContextPass.read`.
        threads: how many; 0: what is wanted is read at once, by whoever wants it.
        batch_s: most padded seconds that are read together; one part always is.
        notify: called after each reading.
        fallback: says when CTC writes what a label decoder would; None: never.
        hurries: see `PartReader`: whether CTC can; None: always.
    """

    def __init__(
        self,
        read: _Read,
        threads: int,
        batch_s: float,
        notify: Callable[[], None],
        fallback: Fallback | None = None,
        hurries: Callable[[Request], bool] | None = None,
    ) -> None:
        self._read, self._notify, self._most = read, notify, batch_s * SAMPLE_RATE
        self._fallback, self._hurries = fallback, hurries
        self._changed = threading.Condition()
        self._wanted: list[Reading] = []
        self._done: list[Reading] = []
        self._taken: set[Hashable] = set()
        self._stopped = False
        self._threads = [threading.Thread(target=self._run, name="reader", daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def want(self, readings: Sequence[Reading]) -> None:
        """What is to be read, most urgent first, in place of what was wanted before and has not been begun."""
        with self._changed:
            self._wanted = [reading for reading in readings if reading.key not in self._taken]
            if self._wanted:
                self._changed.notify_all()
        while not self._threads and self._wanted:
            self._serve(self._take())

    @property
    def ready(self) -> bool:
        """Whether there is something to collect."""
        return bool(self._done)

    def collect(self) -> list[Reading]:
        """What has been read since the last call."""
        with self._changed:
            done, self._done = self._done, []
            self._taken.difference_update(reading.key for reading in done)
            return done

    def stop(self) -> None:
        """End the threads, each after the reading it is at."""
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

    def _take(self) -> list[Reading]:
        """The first that are wanted, as many as fit into a batch."""
        longest = rows = count = 0
        for reading in self._wanted:
            longest, rows = max(longest, len(reading.part.samples)), rows + len(reading.requests)
            if count and longest * rows > self._most:
                break
            count += 1
        self._hurry(count)
        batch, self._wanted = self._wanted[:count], self._wanted[count:]
        self._taken.update(reading.key for reading in batch)
        return batch

    def _hurry(self, count: int) -> None:
        """Leave to CTC those of the first readings for which too much waits; the last that wait are the decoder's."""
        if self._fallback is None:
            return
        waiting = [reading for reading in self._wanted if reading.complete and reading.seconds]
        seconds = [reading.seconds for reading in waiting]
        for number, reading in enumerate(waiting):
            if reading in self._wanted[:count]:
                can = self._hurries is None or self._hurries(reading.requests[0])
                reading.quick = can and self._fallback.quick(seconds[number:])

    def _serve(self, batch: Sequence[Reading]) -> None:
        started = time.perf_counter()
        try:
            self._hear(batch)
        except Exception:
            for reading in batch:  # one by one, so that it ends only the session that it comes from
                try:
                    self._hear([reading])
                except Exception as error:
                    reading.error = error
        for reading in batch:
            reading.busy_s = (time.perf_counter() - started) / len(batch)
        with self._changed:
            if self._fallback is not None and not any(reading.quick or reading.error for reading in batch):
                audio_s = sum(reading.seconds for reading in batch)
                self._fallback.measure(audio_s, sum(reading.busy_s for reading in batch) if audio_s else 0.0)
            self._done += batch
        self._notify()

    def _hear(self, batch: Sequence[Reading]) -> None:
        asked = [(reading.part, request) for reading in batch for request in reading.asked]
        found = iter(self._read([part for part, _ in asked], [request for _, request in asked]))
        for reading in batch:
            reading.heard = [next(found) for _ in reading.requests]
