"""What is said of the part under way before it is complete: heard chunk by chunk, or read again and again."""

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
"""Audio before the first speech that the first pass hears."""
_EVERY_S = 1.0
"""New audio for which a part is read again."""


class Partials(Protocol):
    """Partial results of one stream.

    Args of its methods: `cutter` of the stream, `request` of the transcript, and whether partial results are
    `wanted` at all.
    """

    @property
    def heard_s(self) -> float | None:
        """How far into the stream words have been looked for; None: not in the part under way."""

    def configure(self, request: Request, cutter: PartCutter, *, wanted: bool) -> None:
        """Ask for something else from here on."""

    def after(self, cutter: PartCutter, *, quiet: bool) -> None:
        """Parts are complete, the last of them in a pause or (not `quiet`) within speech."""

    def feed(self, cutter: PartCutter) -> None:
        """Take what the cutter has received."""

    def words(self, cutter: PartCutter) -> list[Word]:
        """Of the part under way, up to `heard_s`."""

    def turned(self, heard: PartResult, *, spoke: bool) -> Switch | None:
        """Whether a complete part is in another language than before, where nothing but parts tells."""


class CausalPartials:
    """Partial results of a causal stream.

    Where a label decoder alone knows the languages that are named, there are none: CTC would write what sounds like
    it in others.

    Args:
        first, second: passes.
        request, wanted: see `Partials`.
    """

    def __init__(self, first: CausalPass, second: FullContextPass, request: Request, *, wanted: bool) -> None:
        self._first, self._second = first, second
        self._request, self._wanted = request, wanted
        self._tracker = self._new_tracker()
        self._causal: CausalStream | None = None
        """None until somebody speaks."""
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
        """Causal reading starts anew behind a pause, and goes on behind a cut within speech."""
        if quiet or self._fed < cutter.begin:
            self._restart(cutter)
        else:
            self.feed(cutter)

    def feed(self, cutter: PartCutter) -> None:
        """Give the first pass what it has not heard; into silence it would write what nobody has said."""
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
        """Chunks tell sooner; see `track`."""
        return None

    def waiting(self, smallest: int) -> tuple[CausalStream, int] | None:
        """The stream to step next and the size of the chunk, which is not below `smallest` encoder frames."""
        size = 0 if self._causal is None else self._first.ready(self._causal, smallest)
        return (self._causal, size) if self._causal is not None and size else None

    def track(self, log_posteriors: Tensor) -> Switch | None:
        """What a chunk says of the language."""
        switch = self._tracker.update(log_posteriors)
        if self._causal is not None:
            self._causal.spoken = self._tracker.posterior
        return switch

    @property
    def _writes(self) -> bool:
        """Whether CTC knows one of the languages that are named; without a label decoder there is no other to ask."""
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
    """Partial results of a model that hears whole parts alone: that under way is read again, quickly.

    Args:
        reader: of parts.
        request, wanted: see `Partials`.
    """

    def __init__(self, reader: PartReader, request: Request, *, wanted: bool) -> None:
        self._reader = reader
        self._request, self._wanted = request, wanted
        self._language = self._named()
        self._asked: Part | None = None
        self._until = 0
        """Samples of the stream that somebody has been asked to read."""
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
        """Nothing: a part is taken from the cutter when it is read."""

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
        """What the part under way is read for."""
        return Request(self._request.languages, phrases=self._request.phrases, quick=True)

    def waiting(self, cutter: PartCutter) -> Part | None:
        """The part under way, where enough of it is new to be read again; the same until then."""
        if not self._wanted or cutter.speech_begin is None:
            return None
        if cutter.received - max(self._until, cutter.speech_begin) >= _EVERY_S * SAMPLE_RATE:
            self._asked, self._until = cutter.so_far(), cutter.received
        return self._asked

    def take(self, part: Part, heard: PartResult, cutter: PartCutter) -> None:
        """What the part under way said when it was `part`; nothing, if more of it has been read, or it is complete."""
        if part is self._asked:
            self._asked = None
        end_s = part.end_sample / SAMPLE_RATE
        if part.first_sample == cutter.begin and end_s > (self.heard_s or 0.0):
            self.heard_s, self._said = end_s, self._reader.words(heard, self.request)

    def _named(self) -> str | None:
        return self._request.languages[0] if len(self._request.languages) == 1 else None

    def _forget(self) -> None:
        self._asked, self._said, self.heard_s = None, [], None
