"""One session's place in the engine: the work that waits for it, and what has come of it. What fails here ends it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from speech.audio.input.files import SAMPLE_RATE
from speech.errors import SpeechError
from speech.events import Event
from speech.recognize.causal import CausalStream
from speech.stream.commands import Change, Done, Finish, Flush, Push, Work
from speech.stream.readings import PartReading
from speech.stream.session import StreamingSession

_log = logging.getLogger(__name__)


class Urgency(IntEnum):
    """Of parts, in the order in which they are read."""

    complete = 0
    expected = 1
    under_way = 2


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


class Slot:
    """See the module's docstring.

    Attributes:
        session: the stream.
        waiting: work that has not been begun.
        barrier: work that has been begun; what follows waits until all parts before it have been read.
        ready_at: since when a chunk waits, by the clock of `Pacing`.
        stepped_s: time of chunks that has not been reported.
        error: what has ended it.
        reported_s: how far it has been reported to be.
    """

    def __init__(self, session: StreamingSession) -> None:
        self.session = session
        self.waiting: list[Work] = []
        self.barrier: Work | None = None
        self.ready_at: float | None = None
        self.stepped_s = 0.0
        self.error: Exception | None = None
        self._done: list[Done] = []
        self._read_s = 0.0
        self._hurried = 0
        self.reported_s = 0.0

    def guarded[T](self, call: Callable[[], T], otherwise: T) -> T:
        """What a call says that concerns this session alone: where it fails, that is its end and nobody else's."""
        try:
            return call()
        except Exception as error:
            _log.exception("a session failed")
            self.error = self.error or error
            return otherwise

    @property
    def startable(self) -> bool:
        """Whether there is work that can be begun."""
        return bool(self.waiting) and self.barrier is None

    def begin(self) -> None:
        """Give the session its work up to the next barrier."""
        while self.startable:
            work = self.waiting.pop(0)
            if isinstance(work, Push):
                self.session.push(work.samples)
                continue
            self.barrier = work
            if isinstance(work, Flush):
                self.session.push_flush()
            elif isinstance(work, Finish):
                self.session.push_finish()

    def wanted(self, *, ahead: bool) -> tuple[Urgency, float, PartReading] | None:
        """What is to be read of it, and the order in which; with `ahead` also what a pause may come to be."""
        session = self.session
        sure = session.waiting_part()
        part = session.expected_part() if sure is None and ahead else sure
        if part is not None:
            urgency = Urgency.expected if sure is None else Urgency.complete
            requests = session.options.requests()
            reading = PartReading(owner=self, part=part, requests=requests, complete=sure is not None)
        else:
            under_way = session.waiting_partial()
            if under_way is None:
                return None
            urgency, part = Urgency.under_way, under_way[0]
            reading = PartReading(owner=self, part=part, requests=[under_way[1]], partial=True, complete=False)
        return urgency, part.end_sample / SAMPLE_RATE - session.received_s, reading

    def take(self, reading: PartReading) -> None:
        """What has been read of it."""
        if not reading.partial:  # those are read in time that nobody else needs: they are no load
            self._read_s += reading.busy_s
        self._hurried += reading.quick
        self.guarded(lambda: self._take(reading), None)

    def _take(self, reading: PartReading) -> None:
        if reading.error is not None:
            raise reading.error
        if reading.partial:
            self.session.take_partial(reading.part, reading.heard[0])
        else:
            self.session.take_reading(reading.part, reading.requests, reading.heard)

    def chunk(self, smallest: int) -> tuple[CausalStream, int] | None:
        """See `StreamingSession.waiting_chunk`."""
        return self.guarded(lambda: self.session.waiting_chunk(smallest), None)

    def carry_out(self) -> None:
        """The barrier, if all before it has been read; a change that cannot be had is refused and changes nothing."""
        session = self.session
        if self.barrier is None or session.waiting_part() is not None:
            return
        work, self.barrier = self.barrier, None
        if not isinstance(work, Change):
            self._done.append(Done(work, session.received_s))
            return
        try:
            self._done.append(Done(work, session.update(work.options)))
        except SpeechError as refused:
            self._done.append(Done(work, session.received_s, refused))

    def report(self, smallest: int) -> Result | None:
        """What has been done since the last call; None: nothing.

        Args:
            smallest: encoder frames of a chunk.
        """
        nothing: list[Event] = []
        events = self.guarded(self.session.drain, nothing)
        processed_s = self.reported_s
        if self.error is None:
            processed_s = self.guarded(lambda: self._processed_s(smallest), processed_s)
        done, self._done = self._done, []
        stepped_s, self.stepped_s = self.stepped_s, 0.0
        read_s, self._read_s = self._read_s, 0.0
        hurried, self._hurried = self._hurried, 0
        if not (events or done or stepped_s or read_s or self.error) and processed_s == self.reported_s:
            return None
        self.reported_s = processed_s
        return Result(events, done, processed_s, stepped_s, read_s, self.error, hurried)

    def _processed_s(self, smallest: int) -> float:
        """How far it is; where nothing waits to be done, all of it is."""
        session = self.session
        idle = session.waiting_part() is None and session.waiting_chunk(smallest) is None
        return session.received_s if idle else session.processed_s
