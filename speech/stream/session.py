"""One live stream as state: samples and what models say in; work for models and events out. No engine, no clock.

The stream is cut into parts by the rules that files are cut by (`speech.recognize.parts`), and each part is read with
full context as soon as it is complete: its words are what a file of the same audio says, and are never taken back.
What follows the last complete part is read causally, or again and again (`speech.recognize.partials`), and may change.
A segment is one part, or several where somebody speaks for long without a pause.
"""

from __future__ import annotations

from collections import deque
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
from speech.stream.event_writer import EventWriter
from speech.stream.options import StreamOptions as StreamOptions
from speech.transcript import plain_words

_EDGE_S = 0.001


class StreamingSession:
    """See the module's docstring. `speech.stream.engine` steps any number of them.

    Args:
        reader: of parts.
        first_pass: of chunks; None: partial results come of reading parts again.
        vad: shared by any number of streams.
        options: what is wanted.

    Attributes:
        options: as given or updated last.
        processed_s: up to where events are final or partial results have been given.

    Raises:
        LanguageError: if the model lacks a language that is asked for.
        ConfigError: if it cannot write a phrase.
    """

    def __init__(self, reader: PartReader, first_pass: CausalPass | None, vad: Vad, options: StreamOptions) -> None:
        self.options = options
        self._reader = reader
        self._compiled = [reader.check(request) for request in options.requests()]
        """Phrases, for as long as they are asked for."""
        rules = options.endpoint.within(reader.longest_s)
        self._segmenter = PartCutter(vad, rules, grid=reader.grid, context_s=options.context_s)
        self._partials = _partials(reader, first_pass, options.requests()[0], wanted=options.interim)
        self._parts: deque[Part] = deque()
        self._ahead: tuple[Part, list[Request], list[PartResult]] | None = None
        """What has been read while its pause went on."""
        self._before: Context | None = None
        """What the last complete part, and those before it, have said."""
        self._writer = EventWriter()
        self._ended = False
        self.processed_s = 0.0

    def push(self, samples: np.ndarray) -> None:
        """Take samples `(n,)` float32 at 16 kHz, any `n`; the work that they make waits.

        Raises:
            SpeechError: after `push_finish`.
        """
        if self._ended:
            raise stream_ended()
        segments = self._segmenter.accept(samples)
        for sample, started in self._segmenter.turns:
            self._writer.speech(sample, started=started)
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

    def update(self, options: StreamOptions) -> float:
        """Other languages, targets or rules, from the segment under way on; returns its start in seconds.

        Raises:
            LanguageError: if the model lacks a language; nothing has changed.
            ConfigError: if it cannot write a phrase; nothing has changed.
        """
        self._compiled = [self._reader.check(request) for request in options.requests()]
        self.options = replace(options, context_s=self.options.context_s)
        self._segmenter.configure(options.endpoint.within(self._reader.longest_s))
        self._partials.configure(options.requests()[0], self._segmenter, wanted=options.interim)
        return self._segmenter.begin / SAMPLE_RATE

    def drain(self) -> list[Event]:
        """The events since the last call."""
        return self._writer.drain()

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
        said = [self._reader.words(item, request) for item, request in zip(heard, requests, strict=True)]
        before = self._reader.following(part, heard[0])
        self._parts.popleft()  # not before that: where it fails, the part still waits
        self._before = before
        spoke = part.speech_end > part.first_sample
        if spoke:
            self._writer.endpoint(part)
        self._writer.language(self._partials.turned(heard[0], spoke=spoke), part.first_sample / SAMPLE_RATE)
        self._writer.add(requests, said, decoder=heard[0].written is not None)
        if requests[0].nbest > 1:
            self._writer.add_readings(readings(heard[0], lambda one: self._reader.words(one, requests[0])))
        self.processed_s = part.end_sample / SAMPLE_RATE
        self._writer.part_ended(part, self.options)
        self._show()

    def take_chunk(self, log_posteriors: Tensor | None) -> None:
        """The chunk of `waiting_chunk` has been stepped."""
        if log_posteriors is not None and isinstance(self._partials, CausalPartials):
            self._writer.language(self._partials.track(log_posteriors), self.processed_s)
        self._show()

    # Within

    def _show(self) -> None:
        """What is said of the part under way, once all before it is final."""
        heard_s = self._partials.heard_s
        if self._parts or self._ended or heard_s is None or heard_s <= self.processed_s:
            return
        self.processed_s = heard_s
        words = self._partials.words(self._segmenter)
        said_s = words[-1].end_s if words else self._segmenter.begin / SAMPLE_RATE if self._writer.words else None
        if words and words[-1].end_s > self.processed_s - _EDGE_S:  # its rest may not have been heard yet
            words.pop()
        words = plain_words(words) if self.options.plain else words
        self._writer.partial(words, round(self.processed_s * SAMPLE_RATE))
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


def _partials(reader: PartReader, first_pass: CausalPass | None, request: Request, *, wanted: bool) -> Partials:
    """Partial results of a new stream; see `speech.recognize.partials`."""
    if first_pass is not None and isinstance(reader, FullContextPass):
        return CausalPartials(first_pass, reader, request, wanted=wanted)
    return RereadPartials(reader, request, wanted=wanted)


def stream_ended() -> SpeechError:
    """What is raised for samples behind the end."""
    return SpeechError("the stream has ended", fix="Open another session.")
