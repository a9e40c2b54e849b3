"""Partial results for the part under way: computed chunk by chunk, or by rereading the part."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from speech.audio import SAMPLE_RATE
from speech.decode.ctc.beam import BeamDecoder
from speech.decode.words.language_tracker import LanguageTracker, Switch
from speech.recognize.causal import CausalPass, CausalStream
from speech.recognize.full_context import FullContextPass
from speech.recognize.part_reader import PartReader
from speech.recognize.parts import Part, PartCutter
from speech.recognize.request import Request
from speech.recognize.result import PartResult
from speech.transcript import Word

_LEAD_S = 0.5
"""Seconds of audio before the first speech given to the first pass."""
_EVERY_S = 1.0
"""Seconds of new audio after which a part is reread."""


class Partials(Protocol):
    """Partial results of one stream.

    Method arguments: `cutter` cuts the stream, `request` describes the transcript, `wanted` turns partial results on
    or off.
    """

    @property
    def heard_s(self) -> float | None:
        """Position up to which the part under way has been decoded, in seconds; None: not yet decoded."""

    def configure(self, request: Request, cutter: PartCutter, *, wanted: bool) -> None:
        """Change the request from here on."""

    def after(self, cutter: PartCutter, *, quiet: bool) -> None:
        """Parts have been completed; the last one ended in a pause, or within speech if not `quiet`."""

    def feed(self, cutter: PartCutter) -> None:
        """Consume new audio from the cutter."""

    def words(self, cutter: PartCutter) -> list[Word]:
        """Words of the part under way, up to `heard_s`."""

    def turned(self, heard: PartResult, *, spoke: bool) -> Switch | None:
        """Language switch at a complete part, if languages are tracked by parts only."""


class CausalPartials:
    """Partial results of a causal stream.

    If only the label decoder knows the named languages, there are no partial results: CTC would write
    similar-sounding text in other languages.

    Args:
        first, second: passes.
        request, wanted: see `Partials`.
    """

    def __init__(self, first: CausalPass, second: FullContextPass, request: Request, *, wanted: bool) -> None:
        self._first, self._second = first, second
        self._request, self._wanted = request, wanted
        self._tracker = self._new_tracker()
        self._causal: CausalStream | None = None
        """None until speech begins."""
        self._fed = 0

    @property
    def heard_s(self) -> float | None:
        return None if self._causal is None else self._causal.heard_s

    def configure(self, request: Request, cutter: PartCutter, *, wanted: bool) -> None:
        before = self._request, self._wanted
        self._request, self._wanted = request, wanted
        if request.languages != before[0].languages:
            self._tracker = self._new_tracker()
        if (request, wanted) != before:
            self._restart(cutter)

    def after(self, cutter: PartCutter, *, quiet: bool) -> None:
        """Restart the causal stream after a pause, and continue it after a cut within speech."""
        if quiet or self._fed < cutter.begin:
            self._restart(cutter)
        else:
            self.feed(cutter)

    def feed(self, cutter: PartCutter) -> None:
        """Give new audio to the first pass, starting at speech: it would hallucinate text in silence."""
        received, begin = cutter.received, cutter.speech_begin
        if not self._wanted or begin is None or self._fed == received:
            return
        if self._causal is None:
            if not self._writes:
                return
            grid = self._second.grid
            self._fed = max(self._fed, (begin - round(_LEAD_S * SAMPLE_RATE)) // grid * grid)
            self._causal = self._begin(self._fed)
        self._causal.feed(cutter.heard_since(self._fed))
        self._fed = received

    def words(self, cutter: PartCutter) -> list[Word]:
        if self._causal is None:
            return []
        code = self._tracker.language
        spans = self._causal.spans(cutter.begin // self._second.grid, () if code is None else (code,))
        return self._second.part_words.of_tokens(spans, code, cutter.received / SAMPLE_RATE)

    def turned(self, heard: PartResult, *, spoke: bool) -> Switch | None:
        """Always None: chunks detect switches earlier; see `track`."""
        return None

    def waiting(self, smallest: int) -> tuple[CausalStream, int] | None:
        """The stream to step next and its chunk size, at least `smallest` encoder frames; None if no chunk is ready."""
        size = 0 if self._causal is None else self._first.ready(self._causal, smallest)
        return (self._causal, size) if self._causal is not None and size else None

    def track(self, log_posteriors: Tensor) -> Switch | None:
        """Update the language tracker with a chunk's log-posteriors; returns a switch if there was one."""
        switch = self._tracker.update(log_posteriors)
        if self._causal is not None:
            self._causal.spoken = self._tracker.posterior
        return switch

    @property
    def _writes(self) -> bool:
        """Whether CTC knows one of the named languages; always True without a label decoder."""
        named, second = self._request.languages, self._second
        return second.label is None or not named or not second.by_ctc.isdisjoint(named)

    def _new_tracker(self) -> LanguageTracker:
        return LanguageTracker(self._second.languages, self._request.languages)

    def _begin(self, sample: int) -> CausalStream:
        request, tokens = self._request, self._second.decoder.tokens
        decode = tokens.decoder(request.phrases)
        searches = decode.search if isinstance(decode, BeamDecoder) and decode.ours else None
        return self._first.begin(
            self._second.prefix(request),
            sample,
            tokens.forbidden(request.written),
            searches,
            spoken=self._tracker.posterior,
            written=request.written,
            bank=self._second.adapters,
        )

    def _restart(self, cutter: PartCutter) -> None:
        self._causal = None
        self._fed = cutter.begin
        self.feed(cutter)


class RereadPartials:
    """Partial results of a model that needs whole parts: the part under way is reread with `quick`.

    Args:
        reader: reads parts.
        request, wanted: see `Partials`.
    """

    def __init__(self, reader: PartReader, request: Request, *, wanted: bool) -> None:
        self._reader = reader
        self._request, self._wanted = request, wanted
        self._language = self._named()
        self._asked: Part | None = None
        self._until = 0
        """Sample up to which a rereading has been requested."""
        self._said: list[Word] = []
        self.heard_s: float | None = None

    def configure(self, request: Request, cutter: PartCutter, *, wanted: bool) -> None:
        if request.languages != self._request.languages:
            self._language = None
        changed = (request, wanted) != (self._request, self._wanted)
        self._request, self._wanted = request, wanted
        self._language = self._language or self._named()
        if changed:
            self._forget()
            self._until = 0

    def after(self, cutter: PartCutter, *, quiet: bool) -> None:
        self._forget()

    def feed(self, cutter: PartCutter) -> None:
        """Do nothing: `waiting` takes audio from the cutter."""

    def words(self, cutter: PartCutter) -> list[Word]:
        return list(self._said)

    def turned(self, heard: PartResult, *, spoke: bool) -> Switch | None:
        if not spoke or not heard.written or heard.language is None or heard.language == self._language:
            return None
        sure = self._reader.language(heard.evidence, heard.frames, self._request)[1]
        previous, self._language = self._language, heard.language
        return Switch(previous, heard.language, sure)

    @property
    def request(self) -> Request:
        """Request for the part under way."""
        return Request(self._request.languages, phrases=self._request.phrases, quick=True)

    def waiting(self, cutter: PartCutter) -> Part | None:
        """The part under way if it is due for rereading, that is, after enough new audio; the same part until it is
        read."""
        if not self._wanted or cutter.speech_begin is None:
            return None
        if cutter.received - max(self._until, cutter.speech_begin) >= _EVERY_S * SAMPLE_RATE:
            self._asked, self._until = cutter.so_far(), cutter.received
        return self._asked

    def take(self, part: Part, heard: PartResult, cutter: PartCutter) -> None:
        """Accept the result for `part`; ignored if a longer reading has arrived or the part is complete."""
        if part is self._asked:
            self._asked = None
        end_s = part.end_sample / SAMPLE_RATE
        if part.first_sample == cutter.begin and end_s > (self.heard_s or 0.0):
            self.heard_s, self._said = end_s, self._reader.words(heard, self.request)

    def _named(self) -> str | None:
        return self._request.languages[0] if len(self._request.languages) == 1 else None

    def _forget(self) -> None:
        self._asked, self._said, self.heard_s = None, [], None
