"""Parts of live streams that are to be read with full context: what is wanted, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from speech.audio import SAMPLE_RATE
from speech.recognize.parts import Part
from speech.recognize.request import Request
from speech.recognize.result import PartResult

Read = Callable[[Sequence[Part], Sequence[Request]], list[PartResult]]
"""As `PartReader.read`."""


@dataclass(eq=False, kw_only=True, slots=True)
class PartReading:
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


class ReadingQueue(Protocol):
    """Reads what is wanted, now or on other threads.

    Attributes:
        ahead: whether parts are worth reading while the pause that will complete them goes on.
    """

    @property
    def ahead(self) -> bool: ...

    @property
    def ready(self) -> bool:
        """Whether there is something to collect."""

    def want(self, readings: Sequence[PartReading]) -> None:
        """What is to be read, most urgent first, in place of what was wanted before and has not been begun."""

    def collect(self) -> list[PartReading]:
        """What has been read since the last call."""


class DirectReadings:
    """Reads at once whatever is wanted, on the thread of whoever wants it.

    Args:
        read: as `PartReader.read`.
        batch_s: most padded seconds that are read together; one part always is.
        ahead: see `ReadingQueue`.
    """

    def __init__(self, read: Read, batch_s: float, *, ahead: bool = False) -> None:
        self._read, self._batch_s = read, batch_s
        self._done: list[PartReading] = []
        self.ahead = ahead

    @property
    def ready(self) -> bool:
        return bool(self._done)

    def want(self, readings: Sequence[PartReading]) -> None:
        """Read them all, in batches."""
        wanted = list(readings)
        while wanted:
            count = fitting(wanted, self._batch_s)
            read_batch(self._read, wanted[:count])
            self._done += wanted[:count]
            wanted = wanted[count:]

    def collect(self) -> list[PartReading]:
        done, self._done = self._done, []
        return done


def fitting(wanted: Sequence[PartReading], batch_s: float) -> int:
    """How many of the first fit into a batch of so many padded seconds; at least one."""
    longest = rows = count = 0
    for reading in wanted:
        longest, rows = max(longest, len(reading.part.samples)), rows + len(reading.requests)
        if count and longest * rows > batch_s * SAMPLE_RATE:
            break
        count += 1
    return count


def read_batch(read: Read, batch: Sequence[PartReading]) -> None:
    """Read parts together; where that fails one by one, so that it ends only the session that it comes from."""
    started = time.perf_counter()
    try:
        _read(read, batch)
    except Exception:
        for reading in batch:
            try:
                _read(read, [reading])
            except Exception as error:
                reading.error = error
    for reading in batch:
        reading.busy_s = (time.perf_counter() - started) / len(batch)


def _read(read: Read, batch: Sequence[PartReading]) -> None:
    asked = [(reading.part, request) for reading in batch for request in reading.asked]
    found = iter(read([part for part, _ in asked], [request for _, request in asked]))
    for reading in batch:
        reading.heard = [next(found) for _ in reading.requests]
