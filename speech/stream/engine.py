"""The engine loop: steps live sessions, batching their chunks and complete parts.

Tests, benchmarks and the server all run it: `Engine.turn` does one round for the given sessions. The engine works on
tensors and knows nothing of sockets or asyncio. The results of a session do not depend on other sessions, and an
error ends only the session it belongs to.
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
from speech.recognize.text_translation import TextTargets
from speech.stream.commands import Change, Done, Finish, Flush, Push
from speech.stream.options import StreamOptions
from speech.stream.pacing import Pacing
from speech.stream.readings import DirectReadings, PartReading, ReadingQueue
from speech.stream.session import StreamingSession, stream_ended
from speech.stream.slot import Slot, Urgency
from speech.stream.text_jobs import DirectTexts, TextQueue
from speech.translate.text.translator import TextTranslator
from speech.translate.toxicity import ToxicWords

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineConfig:
    """Chunk and batch sizes."""

    chunk: int = 16
    """Encoder frames per first-pass chunk. A session that lags takes chunks two or four times as long; with time to
    spare, chunks are half as long."""
    left_context: int = 256
    """Past encoder frames visible to a chunk; as in training."""
    right_context: int = 8
    """Future encoder frames visible to a chunk, which waits for them: the next sound helps to identify the last one."""
    int8: bool = True
    """Run the first pass in int8 if the CPU supports it; otherwise the model's own precision is used."""
    batch: int = 32
    """Maximum sessions per batch."""
    batch_s: float = 6.0
    """Maximum padded seconds of parts read per round; partial results are delayed meanwhile."""


class LiveStream(Slot):
    """A live session driven by the caller's thread: `accept`, `flush` and `finish` process their input and return the
    events.

    To batch many sessions, call `push` on each, `Engine.run` on all of them, then `drain` on each. Every call raises
    the error that ended the session, if there is one.
    """

    def __init__(self, engine: Engine, session: StreamingSession) -> None:
        super().__init__(session)
        self._engine = engine
        self._events: list[Event] = []
        self._finished = False

    def accept(self, samples: np.ndarray) -> list[Event]:
        """Process samples `(n,)` of any length, float32 at 16 kHz, and return the new events.

        Raises:
            SpeechError: after `finish`.
        """
        self.push(samples)
        return self._work()

    def flush(self) -> list[Event]:
        """Finalize all audio so far and return the events; the stream continues."""
        self.push_flush()
        return self._work()

    def finish(self) -> list[Event]:
        """End the stream and return the last events."""
        self.push_finish()
        return self._work()

    def update(self, options: StreamOptions) -> float:
        """Change languages, targets or rules from the current segment on; returns the segment's start in seconds.

        Raises:
            LanguageError: if the model lacks a language; the options are unchanged.
            ConfigError: if the model cannot write a phrase; the options are unchanged.
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
        """Queue samples for `Engine.run`.

        Raises:
            SpeechError: after `finish`.
        """
        if self._finished:
            raise stream_ended()
        self.waiting.append(Push(samples))

    def push_flush(self) -> None:
        """Queue a `flush` for `Engine.run`."""
        self.waiting.append(Flush(None))

    def push_finish(self) -> None:
        """Queue a `finish` for `Engine.run`."""
        if not self._finished:
            self._finished = True
            self.waiting.append(Finish())

    def drain(self) -> list[Event]:
        """Return the events since the last call."""
        self._report()
        if self.error is not None:
            raise self.error
        events, self._events = self._events, []
        return events

    @property
    def options(self) -> StreamOptions:
        """Current options of the stream."""
        return self.session.options

    @property
    def ended(self) -> bool:
        """Whether the stream has finished and all its parts have been read."""
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
    """Opens sessions and runs their work.

    Args:
        second_pass: reads parts.
        config: chunk and batch sizes.
        translator: of texts, for targets that the reader does not translate into; None: there is none.
        toxic_words: lists of words that the translator may not add.
    """

    def __init__(
        self,
        second_pass: PartReader,
        config: EngineConfig | None = None,
        translator: TextTranslator | None = None,
        toxic_words: ToxicWords | None = None,
    ) -> None:
        self.config = config or EngineConfig()
        self.second_pass, self.translator, self._toxic_words = second_pass, translator, toxic_words
        self.first_pass = self._first_pass(second_pass) if isinstance(second_pass, FullContextPass) else None
        self.vad = Vad()

    def _first_pass(self, second_pass: FullContextPass) -> CausalPass:
        size, model = self.config.chunk, second_pass.model
        in_float32 = model.dtype == torch.float32
        if self.config.int8 and in_float32 and model.device.type == "cpu" and int8_runs():
            model = int8_copy(model)
        prepare()  # compile now: a session may request phrases at any time, and compilation would delay the others
        letters_of(second_pass.tokenizer.vocabulary)
        return CausalPass(
            model,
            (max(size // 2, 1), size, 2 * size, 4 * size),
            self.config.left_context,
            self.config.right_context,
            second_pass.extension,
        )

    def open(self, options: StreamOptions | None = None) -> LiveStream:
        """Open a new stream.

        Raises:
            LanguageError: if the model lacks a requested language.
            ConfigError: if the model cannot write a phrase.
        """
        options = options or StreamOptions()
        targets = TextTargets(self.second_pass, self.translator, self._toxic_words)
        return LiveStream(self, StreamingSession(targets, self.first_pass, self.vad, options))

    def run(self, slots: Sequence[Slot]) -> None:
        """Run all queued work."""
        while self.turn(slots):
            pass

    def turn(
        self,
        slots: Sequence[Slot],
        queue: ReadingQueue | None = None,
        pacing: Pacing | None = None,
        texts: TextQueue | None = None,
    ) -> bool:
        """Run one round: begin queued work, have parts read, step one batch of chunks per size, have texts translated,
        complete finished commands.

        Args:
            slots: the sessions; failed ones are skipped.
            queue: reads parts; None: parts are read on this thread once complete.
            pacing: decides when chunks are stepped; None: full chunks, as soon as they are available.
            texts: translates texts; None: they are translated on this thread.

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
        more = _collect(slots, queue)  # parts read on this thread
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
        more |= self._translate(_sound(slots), texts)
        for slot in _sound(slots):
            slot.guarded(slot.carry_out, None)
        return more or queue.ready or any(slot.startable for slot in _sound(slots))

    def _translate(self, slots: Sequence[Slot], queue: TextQueue | None) -> bool:
        """Have texts translated, and hand finished ones to their sessions; returns whether there were any."""
        if self.translator is None:
            return False
        queue = queue or DirectTexts(self.translator)
        queue.want([job for slot in slots for job in slot.texts()])
        there = {id(slot): slot for slot in slots}
        found = [(there.get(id(job.owner)), job) for job in queue.collect()]
        for slot, job in found:
            if slot is not None:
                slot.take_text(job)
        return bool(found)

    def smallest(self, *, fine: bool) -> int:
        """Encoder frames of the smallest chunk: half a chunk if `fine`."""
        return self.first_pass.sizes[0] if fine and self.first_pass is not None else self.config.chunk

    def step(self, slots: Sequence[Slot], *, fine: bool = False) -> bool:
        """Step one batch of chunks per size, starting with the sessions that lag most.

        Args:
            slots: the sessions to consider.
            fine: allow half chunks: partial results come twice as often, at nearly twice the cost.

        Returns:
            Whether any chunk was stepped.
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
    """Parts to read: complete parts, longest wait first; then expected parts; then, if no complete part waits, parts
    under way that need rereading for partial results."""
    waiting: list[tuple[Urgency, float, PartReading]] = []
    for slot in slots:
        found = slot.guarded(partial(slot.wanted, ahead=ahead), None)
        if found is not None:
            waiting.append(found)
    behind = any(urgency is Urgency.complete for urgency, _, _ in waiting)
    ordered = sorted(waiting, key=lambda item: item[:2])
    return [reading for urgency, _, reading in ordered if not (behind and urgency is Urgency.under_way)]


def _collect(slots: Sequence[Slot], queue: ReadingQueue) -> bool:
    """Hand finished readings to their sessions; returns whether there were any."""
    there = {id(slot): slot for slot in slots}
    found = queue.collect()
    for reading in found:
        slot = there.get(id(reading.owner))
        if slot is not None:
            slot.take(reading)
    return bool(found)


def _sound(slots: Sequence[Slot]) -> list[Slot]:
    """Slots without an error."""
    return [slot for slot in slots if slot.error is None]
