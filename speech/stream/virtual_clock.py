"""A live session on a virtual clock: audio arrives as if somebody spoke it, and nobody waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from speech.audio import SAMPLE_RATE
from speech.data.stream_events import StreamedText, streamed_text
from speech.events import Event, TranslationEvent
from speech.stream.engine import Engine
from speech.stream.options import StreamOptions

MESSAGE_S = 0.1
"""Seconds of audio in a message."""


@dataclass(frozen=True, slots=True)
class TimedEvent:
    """An event and when it came, in seconds from the start of the audio."""

    event: Event
    received_s: float
    """Audio that had been received."""
    clock_s: float
    """The time on a clock that also runs while the session computes: a message that comes meanwhile waits."""


@dataclass(frozen=True, slots=True)
class TimedSession:
    """A live session on a virtual clock."""

    events: tuple[TimedEvent, ...]
    duration_s: float
    """Of the audio."""
    computed_s: float
    """Time of all computation."""

    def translation(self, *, computation_aware: bool = False) -> StreamedText:
        """The translation with the times of its words: `received_s`, or `clock_s` if `computation_aware`.

        Raises:
            DataError: if there are translations into several languages.
        """
        written = [
            (one.event.to_dict(), 1000 * (one.clock_s if computation_aware else one.received_s))
            for one in self.events
            if isinstance(one.event, TranslationEvent)
        ]
        if not written:
            return StreamedText("", (), (), self.duration_s)
        messages = [record | {"lag_ms": at_ms - record["audio_ms"]} for record, at_ms in written]
        end = {"type": "end", "audio_ms": 1000 * self.duration_s}
        return streamed_text([(message, "translation") for message in [*messages, end]], translation=True)


def run_session(
    engine: Engine,
    samples: np.ndarray,
    options: StreamOptions,
    timer: Callable[[], float] = time.perf_counter,
) -> TimedSession:
    """Run audio through a session in messages of `MESSAGE_S`.

    Args:
        engine: opens the session.
        samples: `(n,)`, float32 at 16 kHz.
        options: of the session.
        timer: seconds that computation takes, such as those of a processor.

    Raises:
        LanguageError: if the model lacks a requested language.
        ConfigError: if the model does not support an option.
    """
    session = engine.open(options)
    message = round(MESSAGE_S * SAMPLE_RATE)
    events, clock_s, computed_s = list[TimedEvent](), 0.0, 0.0
    ends = [*range(message, len(samples), message), len(samples)]
    for start, end in zip([0, *ends], ends, strict=False):
        began = timer()
        found = session.accept(samples[start:end])
        if end == len(samples):
            found += session.finish()
        spent_s = timer() - began
        computed_s += spent_s
        received_s = end / SAMPLE_RATE
        clock_s = max(clock_s, received_s) + spent_s
        events += [TimedEvent(event, received_s, clock_s) for event in found]
    return TimedSession(tuple(events), len(samples) / SAMPLE_RATE, computed_s)
