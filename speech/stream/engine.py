"""The one loop that steps live sessions: chunks and complete parts of all of them in batches.

Tests, benchmarks and the server run it: `Engine.turn` does one round for those sessions that it is given. Knows
tensors; no sockets, no asyncio. What a session says does not depend on the others, and what fails for one ends that one
alone.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from speech.audio.vad import Vad
from speech.decode.bias.phrases import letters_of
from speech.decode.ctc.compiled_beam import prepare
from speech.events import Event
from speech.nn.cpu.int8 import int8_copy, int8_runs
from speech.recognize.causal import CausalPass, CausalStream
from speech.recognize.full_context import FullContextPass
from speech.recognize.part_reader import PartReader
from speech.stream.commands import Change, Done, Finish, Flush, Push
from speech.stream.options import StreamOptions
from speech.stream.pacing import Pacing
from speech.stream.readings import DirectReadings, PartReading, ReadingQueue
from speech.stream.session import StreamingSession, stream_ended
from speech.stream.slot import Slot, Urgency

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineConfig:
    """How much is done at once."""

    chunk: int = 16
    """Encoder frames of a first-pass chunk; a session that is behind takes two or four at once, and where there is time
    for it half a chunk."""
    left_context: int = 256
    """Frames that a chunk sees of the past; as in training."""
    right_context: int = 8
    """Frames after a chunk that it waits for and sees: what a sound was is known when the next one comes."""
    int8: bool = True
    """Whether the first pass runs in eight bits where this machine can; otherwise in the precision of the model."""
    batch: int = 32
    """Most sessions that are stepped together."""
    batch_s: float = 6.0
    """Most padded seconds of parts that are read in a round; meanwhile partial results wait."""


class LiveStream(Slot):
    """A live session for those who have no thread for the engine: `accept`, `flush` and `finish` do all the work that
    they make, and say what comes of it.

    Where many sessions are to be stepped in common batches: `push` to each of them, `Engine.run` for all, `drain` each.
    Every call raises what has ended the session, if anything has.
    """

    def __init__(self, engine: Engine, session: StreamingSession) -> None:
        super().__init__(session)
        self._engine = engine
        self._events: list[Event] = []
        self._finished = False

    def accept(self, samples: np.ndarray) -> list[Event]:
        """Events that these samples `(n,)` float32 at 16 kHz bring about, any `n`.

        Raises:
            SpeechError: after `finish`.
        """
        self.push(samples)
        return self._work()

    def flush(self) -> list[Event]:
        """Finals for all audio so far; the stream goes on."""
        self.push_flush()
        return self._work()

    def finish(self) -> list[Event]:
        """The last events."""
        self.push_finish()
        return self._work()

    def update(self, options: StreamOptions) -> float:
        """Other languages, targets or rules, from the segment under way on; returns its start in seconds.

        Raises:
            LanguageError: if the model lacks a language; nothing has changed.
            ConfigError: if it cannot write a phrase; nothing has changed.
        """
        self.waiting.append(Change(options, self.session.options))
        self._engine.run([self])
        done = self._report()
        if self.error is not None:
            raise self.error
        if done[-1].refused is not None:
            raise done[-1].refused
        return done[-1].at_s

    def push(self, samples: np.ndarray) -> None:
        """Samples, for `Engine.run`.

        Raises:
            SpeechError: after `finish`.
        """
        if self._finished:
            raise stream_ended()
        self.waiting.append(Push(samples))

    def push_flush(self) -> None:
        """As `flush`, for `Engine.run`."""
        self.waiting.append(Flush(None))

    def push_finish(self) -> None:
        """As `finish`, for `Engine.run`."""
        if not self._finished:
            self._finished = True
            self.waiting.append(Finish())

    def drain(self) -> list[Event]:
        """Events of the work that has been done since the last call."""
        self._report()
        if self.error is not None:
            raise self.error
        events, self._events = self._events, []
        return events

    @property
    def options(self) -> StreamOptions:
        """What is wanted of it."""
        return self.session.options

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.session.ended

    def _work(self) -> list[Event]:
        self._engine.run([self])
        return self.drain()

    def _report(self) -> list[Done]:
        result = self.report(self._engine.smallest(fine=False))
        if result is None:
            return []
        self._events += result.events
        return result.done


class Engine:
    """Opens sessions and does their work."""

    def __init__(self, second_pass: PartReader, config: EngineConfig | None = None) -> None:
        self.config = config or EngineConfig()
        self.second_pass = second_pass
        self.first_pass = self._first_pass(second_pass) if isinstance(second_pass, FullContextPass) else None
        self.vad = Vad()

    def _first_pass(self, second_pass: FullContextPass) -> CausalPass:
        size, model = self.config.chunk, second_pass.model
        in_float32 = model.dtype == torch.float32
        if self.config.int8 and in_float32 and model.device.type == "cpu" and int8_runs():
            model = int8_copy(model)
        prepare()  # a session may ask for phrases at any time, and must not keep the others waiting for a compiler
        letters_of(second_pass.tokenizer.vocabulary)
        return CausalPass(
            model,
            (max(size // 2, 1), size, 2 * size, 4 * size),
            self.config.left_context,
            self.config.right_context,
            second_pass.extension,
        )

    def open(self, options: StreamOptions | None = None) -> LiveStream:
        """A new stream.

        Raises:
            LanguageError: if the model lacks a language that is asked for.
            ConfigError: if it cannot write a phrase.
        """
        options = options or StreamOptions()
        return LiveStream(self, StreamingSession(self.second_pass, self.first_pass, self.vad, options))

    def run(self, slots: Sequence[Slot]) -> None:
        """Do all the work that waits."""
        while self.turn(slots):
            pass

    def turn(self, slots: Sequence[Slot], queue: ReadingQueue | None = None, pacing: Pacing | None = None) -> bool:
        """Begin what waits, have parts read, step one batch of chunks of each size, carry out what is due.

        Args:
            slots: the sessions; those that have failed are left out.
            queue: reads parts; None: they are read here, when they are complete.
            pacing: when chunks are stepped; None: as soon as there are any, whole ones.

        Returns:
            Whether there may be more to do.
        """
        if queue is None:
            queue = DirectReadings(self.second_pass.read, self.config.batch_s)
        _collect(slots, queue)
        started = time.perf_counter()
        for slot in _sound(slots):
            slot.guarded(slot.begin, None)
        queue.want(wanted(_sound(slots), ahead=queue.ahead))
        more = _collect(slots, queue)  # what has been read here
        fine = pacing is not None and pacing.fine
        sound, smallest = _sound(slots), self.smallest(fine=fine)
        ready = [slot for slot in sound if slot.chunk(smallest) is not None]
        active = ready if pacing is None else pacing.together(ready, _sound(sound))
        more |= bool(active) and self._step_guarded(active, fine=fine)
        seconds = time.perf_counter() - started
        if pacing is not None:
            pacing.measure(seconds)
        for slot in active:
            slot.stepped_s += seconds / len(active)
        for slot in _sound(slots):
            slot.guarded(slot.carry_out, None)
        return more or queue.ready or any(slot.startable for slot in _sound(slots))

    def smallest(self, *, fine: bool) -> int:
        """Encoder frames of the smallest chunk: half of one if `fine`."""
        return self.first_pass.sizes[0] if fine and self.first_pass is not None else self.config.chunk

    def step(self, slots: Sequence[Slot], *, fine: bool = False) -> bool:
        """One batch of chunks of each size, of those that are furthest behind.

        Args:
            slots: those that may have one.
            fine: whether half a chunk is enough: partial results come twice as often, for nearly twice the work.

        Returns:
            Whether there was one.
        """
        if self.first_pass is None:
            return False
        groups: dict[tuple[int, int], list[tuple[StreamingSession, CausalStream]]] = defaultdict(list)
        for session in sorted((slot.session for slot in slots), key=lambda one: one.processed_s - one.received_s):
            chunk = session.waiting_chunk(self.smallest(fine=fine))
            if chunk is not None:
                stream, size = chunk
                groups[size, self.first_pass.missing(stream, size)].append((session, stream))
        for (size, _), group in groups.items():
            self._step(group[: self.config.batch], size)
        return bool(groups)

    def _step_guarded(self, active: Sequence[Slot], *, fine: bool) -> bool:
        try:
            return self.step(active, fine=fine)
        except Exception:
            _log.exception("a batch failed; its sessions are tried one by one")
        found = [slot.guarded(partial(self.step, [slot], fine=fine), False) for slot in active]
        return any(found)

    def _step(self, group: Sequence[tuple[StreamingSession, CausalStream]], size: int) -> None:
        assert self.first_pass is not None
        streams = [stream for _, stream in group]
        log_posteriors = self.first_pass.step(streams, size, self.second_pass.adapters)
        for (session, _), posterior in zip(group, log_posteriors, strict=True):
            session.take_chunk(posterior)


def wanted(slots: Sequence[Slot], *, ahead: bool) -> list[PartReading]:
    """What is to be read: complete parts, those that have waited longest first; then those that may become so; and
    while nobody waits for a complete one, those under way whose partial results come of it."""
    waiting: list[tuple[Urgency, float, PartReading]] = []
    for slot in slots:
        found = slot.guarded(partial(slot.wanted, ahead=ahead), None)
        if found is not None:
            waiting.append(found)
    behind = any(urgency is Urgency.complete for urgency, _, _ in waiting)
    ordered = sorted(waiting, key=lambda item: item[:2])
    return [reading for urgency, _, reading in ordered if not (behind and urgency is Urgency.under_way)]


def _collect(slots: Sequence[Slot], queue: ReadingQueue) -> bool:
    """Give sessions what has been read of them; whether there was anything."""
    there = {id(slot): slot for slot in slots}
    found = queue.collect()
    for reading in found:
        slot = there.get(id(reading.owner))
        if slot is not None:
            slot.take(reading)
    return bool(found)


def _sound(slots: Sequence[Slot]) -> list[Slot]:
    """Those that nothing has failed for."""
    return [slot for slot in slots if slot.error is None]
