"""State of one live stream: takes samples and model outputs, yields pending work and events. No engine, no clock.

The stream is cut into parts by the same rules as files (`speech.recognize.parts`). Each part is read with full
context once complete, so its words equal those of a file with the same audio and are final. Audio after the last
complete part is read causally, or reread repeatedly (`speech.recognize.partials`); its words may change. A segment
is one part, or several if someone speaks for long without a pause.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from speech.audio import SAMPLE_RATE
from speech.audio.vad import Vad
from speech.errors import SpeechError
from speech.events import Event
from speech.recognize.alternatives import readings
from speech.recognize.causal import CausalPass, CausalStream
from speech.recognize.context import Context
from speech.recognize.full_context import FullContextPass
from speech.recognize.part_reader import PartReader
from speech.recognize.partials import CausalPartials, Partials, RereadPartials
from speech.recognize.parts import Part, PartCutter
from speech.recognize.request import Request
from speech.recognize.result import PartResult
from speech.recognize.text_translation import TextTargets
from speech.stream.event_writer import EventWriter
from speech.stream.options import StreamOptions as StreamOptions
from speech.stream.part_queue import PartQueue
from speech.stream.text_translation import TextTranslation
from speech.stream.translation import LiveTranslation
from speech.transcript import plain_words

_EDGE_S = 0.001


class StreamingSession:
    """State of one live stream; see the module docstring. `speech.stream.engine` steps any number of sessions.

    Args:
        targets: of the reader of parts, and of the text translator behind it.
        first_pass: steps chunks; None: partial results come from rereading the part under way.
        vad: may be shared by streams.
        options: initial options.

    Attributes:
        options: current options.
        texts: translations by the text translator.
        processed_s: position up to which finals or partial results have been given, in seconds.

    Raises:
        LanguageError: if the model lacks a requested language.
        ConfigError: if the model cannot write a phrase.
    """

    def __init__(self, targets: TextTargets, first_pass: CausalPass | None, vad: Vad, options: StreamOptions) -> None:
        self.options, self.texts = options, TextTranslation(targets, options)
        reader = self._reader = targets.reader
        spoken = self.texts.of_speech(options)
        self._requests = spoken.requests()
        self._compiled = [reader.check(request) for request in self._requests]
        """Compiled phrases, kept alive while they are in use."""
        rules = options.endpoint.within(reader.longest_s)
        self._segmenter = PartCutter(vad, rules, grid=reader.grid, context_s=options.context_s)
        self._partials = _partials(reader, first_pass, self._requests[0], wanted=options.interim)
        self._before: Context | None = None
        """Text before the next part, from the complete parts."""
        self._translation = LiveTranslation(reader, spoken)
        self._parts, self._writer = PartQueue(options.late_draft_s), EventWriter(self.texts)
        self._ended, self.processed_s = False, 0.0

    def push(self, samples: np.ndarray) -> None:
        """Accept samples `(n,)` of any length, float32 at 16 kHz, and queue the resulting work.

        Raises:
            SpeechError: after `push_finish`.
        """
        if self._ended:
            raise stream_ended()
        for piece in self._translation.pieces(samples, self._segmenter.received):
            segments = self._segmenter.accept(piece)
            self._writer.speech(self._segmenter.turns)
            self._complete(segments)
            self._parts.add(self._translation.due(self._segmenter))

    def push_flush(self) -> None:
        """End the current segment here."""
        segment = self._segmenter.flush()
        if segment is not None:
            self._complete([segment])

    def push_finish(self) -> None:
        """Mark the end of the audio."""
        if not self._ended:
            self._ended = True
            last = self._segmenter.finish()
            self._parts.add([] if last is None else [last])
            self._settle()

    def update(self, options: StreamOptions) -> float:
        """Change languages, targets or rules from the current segment on; returns the segment's start in seconds.

        Raises:
            LanguageError: if the model lacks a language; the options are unchanged.
            ConfigError: if the model cannot write a phrase, or translate simultaneously; the options are unchanged.
        """
        spoken = self.texts.of_speech(options)
        requests = spoken.requests()
        self._compiled = [self._reader.check(request) for request in requests]
        self._translation.configure(spoken)
        self.texts.configure(options)
        self.options, self._requests = replace(options, context_s=self.options.context_s), requests
        self._segmenter.configure(options.endpoint.within(self._reader.longest_s))
        self._partials.configure(requests[0], self._segmenter, wanted=options.interim)
        return self._segmenter.begin / SAMPLE_RATE

    def drain(self) -> list[Event]:
        """Return the events since the last call."""
        return [*self._writer.drain(), *self.texts.drain()]

    @property
    def received_s(self) -> float:
        """Seconds of audio received."""
        return self._segmenter.received / SAMPLE_RATE

    @property
    def ended(self) -> bool:
        """Whether the stream has finished and all its parts have been read and translated."""
        return self._ended and not self._parts and not self.texts.busy

    def waiting_part(self) -> Part | None:
        """The next part to read with full context: complete, or growing and to be drafted; None if there is none."""
        return self._told(self._parts.first) if self._parts else None

    def requests(self, part: Part) -> list[Request]:
        """Requests for a part of `waiting_part` or `expected_part`."""
        return [self._translation.request] if part.growing else self._requests

    @property
    def complete(self) -> bool:
        """Whether a complete part waits."""
        return self._parts.complete

    def expected_part(self) -> Part | None:
        """The part that the current pause would complete; None if there is none or it has been read already."""
        if self._parts or self._ended:
            return None
        part = self._segmenter.expected()
        return None if part is None or self._parts.knows(part) else self._told(part)

    def waiting_chunk(self, smallest: int) -> tuple[CausalStream, int] | None:
        """The stream to step next and its chunk size, at least `smallest` encoder frames; None if no chunk is ready."""
        partials = self._partials
        return None if self._ended or not isinstance(partials, CausalPartials) else partials.waiting(smallest)

    def waiting_partial(self) -> tuple[Part, Request] | None:
        """The part under way and its request, if it is due for rereading; see `RereadPartials`."""
        partials = self._partials
        if self._ended or self.complete or not isinstance(partials, RereadPartials):
            return None
        part = partials.waiting(self._segmenter)
        return None if part is None else (part, partials.request)

    def take_partial(self, part: Part, heard: PartResult) -> None:
        """Accept the result for the part of `waiting_partial`."""
        if isinstance(self._partials, RereadPartials):
            self._partials.take(part, heard, self._segmenter)
            self._show()

    def take_reading(self, part: Part, requests: Sequence[Request], heard: Sequence[PartResult]) -> None:
        """Accept the results for a complete or expected part; they are used if the next part is the same."""
        self._parts.keep(part, requests, heard)
        self._settle()

    def take_part(self, heard: Sequence[PartResult]) -> None:
        """Accept the results for the part of `waiting_part`: one per request of `requests`."""
        part = self._told(self._parts.first)
        if part.growing:
            self._parts.pop()
            self._translation.take_draft(part, heard[0], self._writer)
            return
        asked = zip(heard, self._requests, strict=True)
        said = [self._translation.complete(part, *both, self._writer) for both in asked]
        self._before = self._reader.following(part, heard[0])
        self._parts.pop()  # after `following`: if that raises, the part stays queued
        spoke = part.speech_end > part.first_sample
        self._writer.endpoint(part, self.options)
        self._writer.language(self._partials.turned(heard[0], spoke=spoke), part.first_sample / SAMPLE_RATE)
        self._writer.add(self._requests, said, decoder=heard[0].written is not None)
        if self._requests[0].nbest > 1:
            self._writer.add_readings(readings(heard[0], lambda one: self._reader.words(one, self._requests[0])))
        self.processed_s = part.end_sample / SAMPLE_RATE
        self.texts.heard(heard[0])
        self._writer.part_ended(part, self.options)
        self._translation.part_ended(part)
        self._show()

    def take_chunk(self, log_posteriors: Tensor | None) -> None:
        """Accept the result of stepping the chunk of `waiting_chunk`."""
        if log_posteriors is not None and isinstance(self._partials, CausalPartials):
            self._writer.language(self._partials.track(log_posteriors), self.processed_s)
        self._show()

    def _told(self, part: Part) -> Part:
        """A part with what has been written before it and of it."""
        return replace(part, before=self._before, translated=self._translation.tokens(part))

    def _show(self) -> None:
        """Write a partial for the part under way, once all earlier parts are final."""
        heard_s = self._partials.heard_s
        if self.complete or self._ended or heard_s is None or heard_s <= self.processed_s:
            return
        self.processed_s = heard_s
        words = self._partials.words(self._segmenter)
        said_s = words[-1].end_s if words else self._segmenter.begin / SAMPLE_RATE if self._writer.words else None
        if words and words[-1].end_s > self.processed_s - _EDGE_S:  # the word may continue in audio not yet heard
            words.pop()
        self._writer.partial(plain_words(words) if self.options.plain else words, round(self.processed_s * SAMPLE_RATE))
        blanks = [] if said_s is None else self._segmenter.end_blanks(said_s, self.processed_s)
        if blanks:
            self._complete(blanks)

    def _complete(self, segments: Sequence[Part]) -> None:
        """Queue complete parts for reading."""
        self._parts.add(segments)
        if segments:
            self._partials.after(self._segmenter, quiet=any(segment.quiet for segment in segments))
        else:
            self._partials.feed(self._segmenter)
        self._settle()

    def _settle(self) -> None:
        """Use the reading that finished early if it matches the next part and the current requests."""
        part = self.waiting_part()
        if part is not None and (heard := self._parts.reading(part, self.requests(part))) is not None:
            self.take_part(heard)


def _partials(reader: PartReader, first_pass: CausalPass | None, request: Request, *, wanted: bool) -> Partials:
    """Partial results of a new stream; see `speech.recognize.partials`."""
    if first_pass is not None and isinstance(reader, FullContextPass):
        return CausalPartials(first_pass, reader, request, wanted=wanted)
    return RereadPartials(reader, request, wanted=wanted)


def stream_ended() -> SpeechError:
    """Create the error for samples after the end of the stream."""
    return SpeechError("the stream has ended", fix="Open another session.")
