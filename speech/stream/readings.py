"""Second-pass readings of the parts of live streams: requests, results and the queue between them."""

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
"""Signature of `PartReader.read`."""


@dataclass(eq=False, kw_only=True, slots=True)
class PartReading:
    """A request to read one part and, later, its result."""

    owner: Hashable
    part: Part
    requests: Sequence[Request]
    partial: bool = False
    """Whether the part is under way and is read for partial results; at most one per owner."""
    complete: bool = True
    """Whether the part is complete, so that a final depends on it."""
    quick: bool = False
    """Whether CTC writes the transcript because the label decoder would be too late."""
    heard: list[PartResult] = field(default_factory=list)
    """One result per request."""
    error: Exception | None = None
    busy_s: float = 0.0

    @property
    def key(self) -> Hashable:
        """Key for deduplication: equal readings need not be run twice."""
        return (self.owner, "partial") if self.partial else (self.owner, self.part.place, tuple(self.requests))

    @property
    def seconds(self) -> float:
        """Seconds of audio to read; 0 if the part is silent."""
        return 0.0 if self.part.silent else len(self.part.samples) / SAMPLE_RATE

    @property
    def asked(self) -> list[Request]:
        """Requests for the model; if `quick`, transcripts skip the label decoder, which only translations still
        need."""
        return [replace(one, quick=True) if self.quick and one.to is None else one for one in self.requests]


class ReadingQueue(Protocol):
    """Runs readings, on this thread or on others.

    Attributes:
        ahead: whether to read a part during the pause that is expected to complete it.
    """

    @property
    def ahead(self) -> bool: ...

    @property
    def ready(self) -> bool:
        """Whether there are results to collect."""

    def want(self, readings: Sequence[PartReading]) -> None:
        """Replace the pending readings that have not started; most urgent first."""

    def collect(self) -> list[PartReading]:
        """Return the readings finished since the last call."""


class DirectReadings:
    """Runs readings at once, on the caller's thread.

    Args:
        read: see `PartReader.read`.
        batch_s: maximum padded seconds per batch; a batch has at least one part.
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
        """Run all readings, in batches."""
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
    """Number of leading readings that fit into a batch of `batch_s` padded seconds; at least one."""
    longest = rows = count = 0
    for reading in wanted:
        longest, rows = max(longest, len(reading.part.samples)), rows + len(reading.requests)
        if count and longest * rows > batch_s * SAMPLE_RATE:
            break
        count += 1
    return count


def read_batch(read: Read, batch: Sequence[PartReading]) -> None:
    """Read parts in one batch; if that fails, one by one, so that an error affects only its own session."""
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
