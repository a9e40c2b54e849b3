"""One live stream: samples in, events out. No clock, no thread, no socket.

The stream is cut into parts by the rules that files are cut by (`segments.py`), and each part is read with full
context (`second_pass.py`) as soon as it is complete: its words are what a file of the same audio says, and are never
taken back. What follows the last complete part is read causally, or again and again (`partials.py`), and may change.
A segment is one part, or several where somebody speaks for long without a pause.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from speech.audio import SAMPLE_RATE
from speech.audio.vad import Vad
from speech.decode.endpoint import Reason
from speech.decode.words.language_tracker import Switch
from speech.errors import SpeechError
from speech.events import EndpointEvent, Event, LanguageEvent, SpeechEvent, TranscriptEvent, TranslationEvent, Writer
from speech.recognize.alternatives import PartAlternative, readings, together
from speech.recognize.causal import CausalStream
from speech.recognize.context import Context
from speech.recognize.part_reader import PartReader
from speech.recognize.partials import CausalPartials, Partials, RereadPartials
from speech.recognize.parts import Part, PartCutter
from speech.recognize.request import Request
from speech.recognize.result import PartResult
from speech.stream.options import StreamOptions as StreamOptions
from speech.transcript import Word, join, plain_words

if TYPE_CHECKING:
    from speech.stream.engine import Engine

_EDGE_S = 0.001


@dataclass(slots=True)
class _Open:
    """The segment under way."""

    words: list[Word] = field(default_factory=list)
    """Of its complete parts."""
    translations: dict[str, list[Word]] = field(default_factory=dict)
    start: int = 0
    """First sample."""
    revision: int = 0
    shown: tuple[str, int] = ("", 0)
    """Text and number of stable words of the last revision."""
    decoder: bool | None = None
    """Whether a label decoder has written all words so far; None: there are none."""
    readings: list[list[PartAlternative]] = field(default_factory=list)
    """Of its complete parts, where several texts are asked for."""


class StreamingSession:
    """See the module's docstring. Made by `Engine.open`.

    Attributes:
        options: as given or updated last.
        processed_s: up to where events are final or partial results have been given.
    """

    def __init__(self, engine: Engine, options: StreamOptions) -> None:
        self.options = options
        self._engine = engine
        self._second: PartReader = engine.second_pass
        self._compiled = [self._second.check(request) for request in options.requests()]
        """Phrases, for as long as they are asked for."""
        vad: Vad = engine.vad
        rules = options.endpoint.within(self._second.longest_s)
        self._segmenter = PartCutter(vad, rules, grid=self._second.grid, context_s=options.context_s)
        self._partials: Partials = engine.partials(options.requests()[0], wanted=options.interim)
        self._parts: deque[Part] = deque()
        self._ahead: tuple[Part, list[Request], list[PartResult]] | None = None
        """What has been read while its pause went on."""
        self._before: Context | None = None
        """What the last complete part, and those before it, have said."""
        self._events: list[Event] = []
        self._open = _Open()
        self._segment = 0
        self._ended = False
        self.processed_s = 0.0

    # What a client does

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
        self._compiled = [self._second.check(request) for request in options.requests()]
        self.options = replace(options, context_s=self.options.context_s)
        self._segmenter.configure(options.endpoint.within(self._second.longest_s))
        self._partials.configure(options.requests()[0], self._segmenter, wanted=options.interim)
        return self._segmenter.begin / SAMPLE_RATE

    def _work(self) -> list[Event]:
        self._engine.run([self])
        return self.drain()

    # What the engine and a scheduler do

    def push(self, samples: np.ndarray) -> None:
        """Take samples; the work they make waits for the engine."""
        if self._ended:
            raise SpeechError("the stream has ended", fix="Open another session.")
        segments = self._segmenter.accept(samples)
        for at, started in self._segmenter.turns:
            self._events.append(SpeechEvent(started=started, at_s=at / SAMPLE_RATE))
        self._segmenter.turns.clear()
        self._complete(segments)

    def push_flush(self) -> None:
        """End the segment under way here."""
        segment = self._segmenter.flush()
        if segment is not None:
            self._complete([segment])

    def push_finish(self) -> None:
        """No more samples will come."""
        if not self._ended:
            self._ended = True
            last = self._segmenter.finish()
            if last is not None:
                self._parts.append(last)
                self._settle()

    def drain(self) -> list[Event]:
        """The events since the last call."""
        events, self._events = self._events, []
        return events

    @property
    def received_s(self) -> float:
        """Audio so far."""
        return self._segmenter.received / SAMPLE_RATE

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self._ended and not self._parts

    def waiting_part(self) -> Part | None:
        """The part that is to be read next with full context."""
        return replace(self._parts[0], before=self._before) if self._parts else None

    def expected_part(self) -> Part | None:
        """What will be the next part if nobody speaks on; it can be read already, and has not been."""
        if self._parts or self._ended:
            return None
        part = self._segmenter.expected()
        known = part is None or (self._ahead is not None and self._ahead[0].place == part.place)
        return None if part is None or known else replace(part, before=self._before)

    def waiting_chunk(self, smallest: int) -> tuple[CausalStream, int] | None:
        """The stream to step next and the size of the chunk, which is not below `smallest` encoder frames."""
        partials = self._partials
        return None if self._ended or not isinstance(partials, CausalPartials) else partials.waiting(smallest)

    def waiting_partial(self) -> tuple[Part, Request] | None:
        """The part under way, where it is to be read for partial results; see `RereadPartials`."""
        partials = self._partials
        if self._ended or self._parts or not isinstance(partials, RereadPartials):
            return None
        part = partials.waiting(self._segmenter)
        return None if part is None else (part, partials.request)

    def take_partial(self, part: Part, heard: PartResult) -> None:
        """What the part of `waiting_partial` says."""
        if isinstance(self._partials, RereadPartials):
            self._partials.take(part, heard, self._segmenter)
            self._show()

    def take_reading(self, part: Part, requests: Sequence[Request], heard: Sequence[PartResult]) -> None:
        """What a part says that has been waiting or expected; it is used if it comes to be the next one."""
        self._ahead = part, list(requests), list(heard)
        self._settle()

    def take_part(self, heard: Sequence[PartResult]) -> None:
        """What the waiting part says, one for each of `options.requests()`."""
        part = replace(self._parts[0], before=self._before)
        requests = self.options.requests()
        said = [self._second.words(item, request) for item, request in zip(heard, requests, strict=True)]
        before = self._second.following(part, heard[0])
        self._parts.popleft()  # not before that: where it fails, the part still waits
        self._before = before
        spoke = part.speech_end > part.first_sample
        if spoke:
            self._events.append(
                EndpointEvent(
                    at_s=part.end_sample / SAMPLE_RATE,
                    speech_end_s=part.speech_end / SAMPLE_RATE,
                    decided_s=part.decided / SAMPLE_RATE,
                    reason=str(part.reason),
                )
            )
        self._turn(self._partials.turned(heard[0], spoke=spoke), part.first_sample / SAMPLE_RATE)
        self._open.words += said[0]
        if said[0]:
            self._open.decoder = heard[0].written is not None and self._open.decoder is not False
        if requests[0].nbest > 1:
            self._open.readings.append(readings(heard[0], lambda one: self._second.words(one, requests[0])))
        for request, words in zip(requests[1:], said[1:], strict=True):
            assert request.to is not None
            self._open.translations.setdefault(request.to, []).extend(words)
        self.processed_s = part.end_sample / SAMPLE_RATE
        long = (part.end_sample - self._open.start) / SAMPLE_RATE >= self.options.max_segment_s
        final = part.reason is not Reason.max_length or long
        self._say([], part.end_sample, final=final, reason=part.reason)
        if final:
            self._segment += 1 if self._open.revision else 0
            self._open = _Open(start=part.end_sample)
        self._show()

    def take_chunk(self, log_posteriors: Tensor | None) -> None:
        """The chunk of `waiting_chunk` has been stepped."""
        if log_posteriors is not None and isinstance(self._partials, CausalPartials):
            self._turn(self._partials.track(log_posteriors), self.processed_s)
        self._show()

    # Within

    def _show(self) -> None:
        """What is said of the part under way, once all before it is final."""
        heard_s = self._partials.heard_s
        if self._parts or self._ended or heard_s is None or heard_s <= self.processed_s:
            return
        self.processed_s = heard_s
        words = self._partials.words(self._segmenter)
        said_s = words[-1].end_s if words else self._segmenter.begin / SAMPLE_RATE if self._open.words else None
        if words and words[-1].end_s > self.processed_s - _EDGE_S:  # its rest may not have been heard yet
            words.pop()
        words = plain_words(words) if self.options.plain else words
        self._say(words, round(self.processed_s * SAMPLE_RATE), final=False, reason=None)
        self._end_blanks(said_s)

    def _end_blanks(self, said_s: float | None) -> None:
        """End the segment where its last word is long past; see `EndpointConfig.blank_s`."""
        longest_s = self.options.endpoint.blank_s
        if longest_s is None or said_s is None or self.processed_s - said_s < longest_s:
            return
        segment = self._segmenter.end_blanks(said_s, said_s + longest_s)
        if segment is not None:
            self._complete([segment])

    def _complete(self, segments: Sequence[Part]) -> None:
        """These are to be read."""
        self._parts += segments
        if segments:
            self._partials.after(self._segmenter, quiet=any(segment.quiet for segment in segments))
        else:
            self._partials.feed(self._segmenter)
        self._settle()

    def _settle(self) -> None:
        """Take what has been read ahead, if it is what the next part says."""
        if self._ahead is None or not self._parts:
            return
        (part, requests, heard), self._ahead = self._ahead, None
        if part.place == self._parts[0].place and requests == self.options.requests():
            self.take_part(heard)

    def _turn(self, switch: Switch | None, at_s: float) -> None:
        if switch is not None:
            self._events.append(
                LanguageEvent(
                    at_s=at_s,
                    previous=switch.previous,
                    language=switch.language,
                    confidence=switch.confidence,
                )
            )

    def _say(self, partial: list[Word], end: int, *, final: bool, reason: Reason | None) -> None:
        """A revision of the segment under way, if it says something new."""
        opened = self._open
        words = [*opened.words, *partial]
        shown = join(words), len(opened.words)
        if shown == opened.shown and not (final and opened.revision):
            return
        end_s = end / SAMPLE_RATE
        start_s = opened.start / SAMPLE_RATE
        self._events.append(
            TranscriptEvent(
                segment=self._segment,
                revision=opened.revision,
                is_final=final,
                text=shown[0],
                stable=shown[1],
                words=tuple(words),
                start_s=words[0].start_s if words else start_s,
                end_s=words[-1].end_s if words else end_s,
                audio_s=end_s,
                reason=str(reason) if final and reason is not None else None,
                written_by=(Writer.decoder if opened.decoder else Writer.ctc) if final else None,
                alternatives=together(opened.readings, self.options.nbest) if final else (),
            )
        )
        opened.revision += 1
        opened.shown = shown
        if reason is not None:
            self._say_translations(end_s, final=final)

    def _say_translations(self, end_s: float, *, final: bool) -> None:
        for target, words in self._open.translations.items():
            self._events.append(
                TranslationEvent(
                    segment=self._segment,
                    target=target,
                    is_final=final,
                    text=join(words),
                    stable=len(words),
                    start_s=self._open.start / SAMPLE_RATE,
                    end_s=end_s,
                    audio_s=end_s,
                )
            )
