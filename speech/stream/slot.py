"""A session's place in the engine: its pending work and its results. An error ends only this session."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from speech.audio import SAMPLE_RATE
from speech.errors import SpeechError
from speech.events import Event
from speech.recognize.causal import CausalStream
from speech.stream.commands import Change, Done, Finish, Flush, Push, Work
from speech.stream.readings import PartReading
from speech.stream.session import StreamingSession
from speech.stream.text_jobs import TextJob

_log = logging.getLogger(__name__)


class Urgency(IntEnum):
    """Kinds of readings, in the order in which they are run."""

    complete = 0
    expected = 1
    under_way = 2


@dataclass(frozen=True, slots=True)
class Result:
    """Work done for one session since the last report."""

    events: list[Event]
    done: list[Done]
    processed_s: float
    stepped_s: float
    """Seconds spent on chunks: the session's share of the batches."""
    read_s: float
    """Seconds spent on reading parts."""
    error: Exception | None = None
    hurried: int = 0
    """Number of parts written by CTC because the label decoder would have been too late."""
    heard_s: float = 0.0
    """Position up to which speech has been looked for, in seconds."""


class Slot:
    """One session in the engine; see the module docstring.

    Attributes:
        session: the stream.
        waiting: commands not yet begun.
        barrier: the command in progress; later commands wait until all parts before it have been read.
        ready_at: time since which a chunk has been ready, by the clock of `Pacing`.
        stepped_s: unreported seconds spent on chunks.
        error: the error that ended the session.
        reported_s: last reported position, in seconds.
        heard_s: last reported position up to which speech has been looked for, in seconds.
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
        self.reported_s = self.heard_s = 0.0

    def guarded[T](self, call: Callable[[], T], otherwise: T) -> T:
        """Run a call for this session alone: an exception is logged and ends the session, and `otherwise` is
        returned."""
        try:
            return call()
        except Exception as error:
            _log.exception("a session failed")
            self.error = self.error or error
            return otherwise

    @property
    def startable(self) -> bool:
        """Whether there is a command that can begin."""
        return bool(self.waiting) and self.barrier is None

    def begin(self) -> None:
        """Begin commands up to and including the next barrier."""
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
        """The next reading, its urgency and sort key; with `ahead`, also for the part expected after the current
        pause."""
        session = self.session
        sure = session.waiting_part()
        part = session.expected_part() if sure is None and ahead else sure
        if part is not None:
            urgency = Urgency.expected if sure is None or not session.complete else Urgency.complete
            complete = sure is not None and not part.growing
            reading = PartReading(owner=self, part=part, requests=session.requests(part), complete=complete)
        else:
            under_way = session.waiting_partial()
            if under_way is None:
                return None
            urgency, part = Urgency.under_way, under_way[0]
            reading = PartReading(owner=self, part=part, requests=[under_way[1]], partial=True, complete=False)
        return urgency, part.end_sample / SAMPLE_RATE - session.received_s, reading

    def take(self, reading: PartReading) -> None:
        """Accept a finished reading."""
        if not reading.partial:  # partials are reread in idle time: they do not count as load
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

    def texts(self) -> list[TextJob]:
        """Texts to translate."""
        jobs: list[TextJob] = self.guarded(self.session.texts.waiting, [])
        for job in jobs:
            job.owner = self
        return jobs

    def take_text(self, job: TextJob) -> None:
        """Accept a text that has been translated, or could not be."""
        self.guarded(lambda: self.session.texts.take(job), None)

    def chunk(self, smallest: int) -> tuple[CausalStream, int] | None:
        """See `StreamingSession.waiting_chunk`."""
        return self.guarded(lambda: self.session.waiting_chunk(smallest), None)

    def carry_out(self) -> None:
        """Complete the barrier once all parts before it have been read, and translated unless it is a change; a refused
        change leaves the options unchanged."""
        session = self.session
        if self.barrier is None or session.waiting_part() is not None:
            return
        if not isinstance(self.barrier, Change) and session.texts.busy:
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
        """Return what was done since the last call; None if nothing was.

        Args:
            smallest: encoder frames of the smallest chunk.
        """
        events: list[Event] = self.guarded(self.session.drain, [])
        processed_s = self.reported_s
        if self.error is None:
            processed_s = self.guarded(lambda: self._processed_s(smallest), processed_s)
        done, self._done = self._done, []
        stepped_s, self.stepped_s = self.stepped_s, 0.0
        read_s, self._read_s = self._read_s, 0.0
        hurried, self._hurried = self._hurried, 0
        told = self.reported_s, self.heard_s
        self.reported_s, self.heard_s = processed_s, self.guarded(lambda: self.session.received_s, self.heard_s)
        if not (events or done or stepped_s or read_s or self.error) and told == (self.reported_s, self.heard_s):
            return None
        return Result(events, done, processed_s, stepped_s, read_s, self.error, hurried, self.heard_s)

    def _processed_s(self, smallest: int) -> float:
        """Position in seconds; the end of the received audio if no work is pending."""
        session = self.session
        idle = session.waiting_part() is None and session.waiting_chunk(smallest) is None
        return session.received_s if idle else session.processed_s
