"""The thread between the event loop and the engine: sessions' work in, results back on the loop.

The loop only moves bytes. Sessions are touched on this one thread alone: each round takes what all of them have sent
meanwhile, so batches grow with the load, and steps the chunks of those furthest behind first. Parts are read on others
(`readers.py`), so that nobody's partial results wait for somebody else's final.

What fails for one session ends that session. What fails beyond that, or for one session after the other, ends the
thread: the memory of a device may be broken, and only a new process has another.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from serve.engine.commands import Change, Done, Finish, Flush, Push, Work
from serve.engine.fallback import Fallback
from serve.engine.readers import Readers, Reading
from speech.audio import SAMPLE_RATE
from speech.errors import SpeechError
from speech.events import Event
from speech.stream.engine import Engine
from speech.stream.session import StreamingSession, StreamOptions

_log = logging.getLogger(__name__)
_LIBC = ctypes.CDLL(None)
_TIDY_S = 60.0
_FINE, _COARSE = 0.25, 0.5
"""Share of the time that chunks may take for half chunks to begin, and from which they end."""
_SHARE_S = 1.5
"""Over about so long it is measured."""
_PATIENCE_S = 0.06
"""A chunk waits so long for those of other sessions: weights are fetched once for all of them."""
_COMPANY = 4
"""It does not wait where one in so many sessions has one."""
_SMALL_SAMPLES = 1600
"""Audio is joined up to so much, whatever the messages were that it came in."""
_COMPLETE, _EXPECTED, _UNDER_WAY = range(3)
"""Parts in the order in which they are read."""
_MOST_FAILURES = 16
"""Sessions that may fail with none in between that does not."""


@dataclass(frozen=True, slots=True)
class Result:
    """What the engine has done for one session."""

    events: list[Event]
    done: list[Done]
    processed_s: float
    stepped_s: float
    """Time spent on chunks, its share of the batches."""
    read_s: float
    """Time that readers spent."""
    error: Exception | None = None
    hurried: int = 0
    """Parts that CTC has written because the label decoder would have been too late."""


@dataclass(eq=False, slots=True)
class Slot:
    """One session on the engine's side."""

    stream: StreamingSession
    listener: Callable[[Result], None]
    """Called on the event loop."""
    inbox: list[Work] = field(default_factory=list)
    waiting: list[Work] = field(default_factory=list)
    """Taken from the inbox, not yet begun."""
    barrier: Work | None = None
    """Begun; what follows waits until all of its parts have been read."""
    reported_s: float = 0.0
    """How far the listener has been told that the stream is."""
    read_s: float = 0.0
    """Time of readers of which the listener has not been told."""
    hurried: int = 0
    """Parts left to CTC of which it has not been told."""
    ready_at: float | None = None
    """Since when a chunk waits."""
    error: Exception | None = None
    """What has ended it."""


class Scheduler:
    """Owns the engine's thread, and those that read.

    Args:
        engine: of all sessions.
        loop: on which listeners are called.
        readers: threads that read parts; 0: the engine's own does.
        fallback_s: CTC writes finals where those that wait would take a label decoder longer; None: never.

    Attributes:
        failed: the thread has ended by an error, and all sessions have been told.
    """

    def __init__(
        self, engine: Engine, loop: asyncio.AbstractEventLoop, readers: int = 1, fallback_s: float | None = None
    ) -> None:
        self._engine, self._loop = engine, loop
        self._slots: set[Slot] = set()
        self._wake = threading.Condition()
        self._stopped = False
        self._failures = 0
        self._tidied = self._measured = time.monotonic()
        self._share = 0.0
        self._fine = False
        self.failed = False
        self.readers = readers
        fallback = hurries = None
        if fallback_s is not None:
            fallback, hurries = Fallback(fallback_s, readers), engine.second_pass.hurries
        read, batch_s = engine.second_pass.read, engine.config.batch_s
        self._readers = Readers(read, readers, batch_s, self._notify, fallback, hurries)
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def open(self, options: StreamOptions, listener: Callable[[Result], None]) -> Slot:
        """A slot for a session. Raises LanguageError or ConfigError if the model cannot do what is asked."""
        slot = Slot(self._engine.open(options), listener)
        with self._wake:
            self._slots.add(slot)
        return slot

    def submit(self, slot: Slot, work: Sequence[Work]) -> None:
        """Hand over work, in order."""
        with self._wake:
            for item in work:
                last = slot.inbox[-1] if slot.inbox else None
                if isinstance(item, Push) and isinstance(last, Push) and len(last.samples) < _SMALL_SAMPLES:
                    slot.inbox[-1] = Push(np.concatenate([last.samples, item.samples]))
                else:
                    slot.inbox.append(item)
            self._wake.notify()

    def close(self, slot: Slot) -> None:
        """Forget a session; nothing more is heard of it."""
        with self._wake:
            self._slots.discard(slot)

    def stop(self) -> None:
        """End the thread."""
        with self._wake:
            self._stopped = True
            self._wake.notify()
        self._thread.join(timeout=10)
        self._readers.stop()

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
                self._tell(slot, Result([], [], slot.reported_s, 0.0, 0.0, error))

    def _work(self) -> None:
        while True:
            with self._wake:
                while not self._stopped and not self._readers.ready and not any(slot.inbox for slot in self._slots):
                    if not self._wake.wait(self._patience()):
                        break
                if self._stopped:
                    return
            while self._turn():
                pass

    def _turn(self) -> bool:
        """One round of the engine over all sessions; whether there may be more to do."""
        with self._wake:
            if self._stopped:
                return False
            slots = list(self._slots)
            for slot in slots:
                slot.waiting += slot.inbox
                slot.inbox.clear()
        self._collect(slots)
        started = time.perf_counter()
        for slot in _sound(slots):
            _guarded(slot, partial(_begin, slot), None)
        self._readers.want(self._wanted(_sound(slots)))
        active = self._together(_sound(slots))
        more = bool(active) and self._step(active)
        seconds = time.perf_counter() - started
        self._measure(seconds)
        working = [slot for slot in slots if slot in active or slot.read_s]
        for slot in slots:
            self._report(slot, seconds / max(len(active), 1) if slot in active else 0.0)
        sound = _sound(slots)
        self._count(len(slots) - len(sound), any(slot in sound for slot in working))
        self._tidy()
        idle = not any(slot.waiting and slot.barrier is None for slot in sound)
        return more or self._readers.ready or not idle

    def _measure(self, seconds: float) -> None:
        """Chunks are halved while there is time for it."""
        now = time.monotonic()
        kept = math.exp((self._measured - now) / _SHARE_S)
        self._measured = now
        self._share = self._share * kept + seconds / _SHARE_S
        self._fine = self._share < (_COARSE if self._fine else _FINE)

    def _together(self, slots: Sequence[Slot]) -> list[Slot]:
        """Those whose chunks are to be stepped now: all that have one, or none, if it pays to wait for more."""
        now = time.monotonic()
        smallest = self._engine.smallest(fine=self._fine)
        ready = [
            slot for slot in slots if _guarded(slot, partial(slot.stream.waiting_chunk, smallest), None) is not None
        ]
        for slot in slots:
            slot.ready_at = (slot.ready_at or now) if slot in ready else None
        if len(ready) * _COMPANY >= len(slots) or now >= self._deadline(ready):
            return ready
        return []

    def _deadline(self, slots: Sequence[Slot]) -> float:
        return min((slot.ready_at for slot in slots if slot.ready_at is not None), default=math.inf) + _PATIENCE_S

    def _patience(self) -> float | None:
        """Seconds until a chunk has waited long enough; None if none waits."""
        left = self._deadline(list(self._slots)) - time.monotonic()
        return max(left, 0.0) if math.isfinite(left) else None

    def _collect(self, slots: Sequence[Slot]) -> None:
        """Give streams what has been read of them."""
        there = {id(slot): slot for slot in slots}
        for reading in self._readers.collect():
            slot = there.get(id(reading.owner))
            if slot is None:
                continue
            if not reading.partial:  # those are read in time that nobody else needs: they are no load
                slot.read_s += reading.busy_s
            slot.hurried += reading.quick
            _guarded(slot, partial(_take, slot.stream, reading), None)

    def _wanted(self, slots: Sequence[Slot]) -> list[Reading]:
        """What is to be read: complete parts, those that have waited longest first; then those that may become so; and
        while nobody waits for a complete one, those under way whose partial results come of it."""
        waiting: list[tuple[int, float, Reading]] = []
        for slot in slots:
            found = _guarded(slot, partial(_wanted_of, slot), None)
            if found is not None:
                waiting.append(found)
        behind = any(rank == _COMPLETE for rank, _, _ in waiting)
        ordered = sorted(waiting, key=lambda item: item[:2])
        return [reading for rank, _, reading in ordered if not (behind and rank == _UNDER_WAY)]

    def _tidy(self) -> None:
        """Give freed memory back once a minute: tensors of ever other sizes leave gaps, and the process would grow."""
        if time.monotonic() - self._tidied > _TIDY_S:
            self._tidied = time.monotonic()
            trim = getattr(_LIBC, "malloc_trim", None)  # of glibc
            if trim is not None:
                trim(0)

    def _count(self, failures: int, succeeded: bool) -> None:
        self._failures = 0 if succeeded else self._failures + failures
        if self._failures >= _MOST_FAILURES:
            raise RuntimeError(f"{self._failures} sessions failed one after the other")

    def _step(self, active: Sequence[Slot]) -> bool:
        try:
            return self._engine.step([slot.stream for slot in active], fine=self._fine)
        except Exception:
            _log.exception("a batch failed; its sessions are tried one by one")
        found = [_guarded(slot, partial(self._engine.step, [slot.stream], fine=self._fine), False) for slot in active]
        return any(found)

    def _report(self, slot: Slot, stepped_s: float) -> None:
        nothing: list[Done] = []
        done = nothing if slot.error is not None else _guarded(slot, partial(_carried_out, slot), nothing)
        events: list[Event] = _guarded(slot, slot.stream.drain, [])
        processed_s = slot.reported_s
        if slot.error is None:
            smallest = self._engine.smallest(fine=False)
            processed_s = _guarded(slot, partial(_processed_s, slot.stream, smallest), processed_s)
        read_s, slot.read_s = slot.read_s, 0.0
        hurried, slot.hurried = slot.hurried, 0
        if not (events or done or stepped_s or read_s or slot.error) and processed_s == slot.reported_s:
            return
        slot.reported_s = processed_s
        if slot.error is not None:
            self.close(slot)
        self._tell(slot, Result(events, done, processed_s, stepped_s, read_s, slot.error, hurried))

    def _tell(self, slot: Slot, result: Result) -> None:
        try:
            self._loop.call_soon_threadsafe(slot.listener, result)
        except RuntimeError:  # the loop has been closed
            self._stopped = True


def _sound(slots: Sequence[Slot]) -> list[Slot]:
    """Those that nothing has failed for."""
    return [slot for slot in slots if slot.error is None]


def _guarded[T](slot: Slot, call: Callable[[], T], otherwise: T) -> T:
    """What a call says that concerns one session: where it fails, that session ends and the others go on."""
    try:
        return call()
    except Exception as error:
        _log.exception("a session failed")
        slot.error = slot.error or error
        return otherwise


def _take(stream: StreamingSession, reading: Reading) -> None:
    if reading.error is not None:
        raise reading.error
    if reading.partial:
        stream.take_partial(reading.part, reading.heard[0])
    else:
        stream.take_reading(reading.part, reading.requests, reading.heard)


def _wanted_of(slot: Slot) -> tuple[int, float, Reading] | None:
    """What is to be read of a session, and the order in which."""
    stream = slot.stream
    sure = stream.waiting_part()
    part = sure or stream.expected_part()
    if part is not None:
        rank = _EXPECTED if sure is None else _COMPLETE
        reading = Reading(owner=slot, part=part, requests=stream.options.requests(), complete=sure is not None)
    else:
        partial = stream.waiting_partial()
        if partial is None:
            return None
        rank, part = _UNDER_WAY, partial[0]
        reading = Reading(owner=slot, part=part, requests=[partial[1]], partial=True, complete=False)
    return rank, part.end_sample / SAMPLE_RATE - stream.received_s, reading


def _begin(slot: Slot) -> None:
    """Give a stream its work up to the next barrier."""
    while slot.waiting and slot.barrier is None:
        work = slot.waiting.pop(0)
        if isinstance(work, Push):
            slot.stream.push(work.samples)
            continue
        slot.barrier = work
        if isinstance(work, Flush):
            slot.stream.push_flush()
        elif isinstance(work, Finish):
            slot.stream.push_finish()


def _carried_out(slot: Slot) -> list[Done]:
    """The barrier, if all before it has been read; a change that cannot be had is refused and changes nothing."""
    if slot.barrier is None or slot.stream.waiting_part() is not None:
        return []
    work, slot.barrier = slot.barrier, None
    if not isinstance(work, Change):
        return [Done(work, slot.stream.received_s)]
    try:
        return [Done(work, slot.stream.update(work.options))]
    except SpeechError as refused:
        return [Done(work, slot.stream.received_s, refused)]


def _processed_s(stream: StreamingSession, smallest: int) -> float:
    """How far a stream is; where nothing waits to be done, all of it is."""
    idle = stream.waiting_part() is None and stream.waiting_chunk(smallest) is None
    return stream.received_s if idle else stream.processed_s
