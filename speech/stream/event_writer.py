"""Writes the events of one stream: transcript revisions, finals and translations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from speech.audio import SAMPLE_RATE
from speech.decode.endpoint import Reason
from speech.decode.words.language_tracker import Switch
from speech.events import EndpointEvent, Event, LanguageEvent, SpeechEvent, TranscriptEvent, TranslationEvent, Writer
from speech.recognize.alternatives import PartAlternative, together
from speech.recognize.parts import Part
from speech.recognize.request import Request
from speech.stream.options import StreamOptions
from speech.stream.text_jobs import TextPlace
from speech.stream.text_translation import TextTranslation
from speech.stream.turn_hearing import turn_over
from speech.transcript import Toxicity, Word, join, joined_toxicity


@dataclass(slots=True)
class _Open:
    """The current segment."""

    words: list[Word] = field(default_factory=list)
    """Words of its complete parts."""
    translations: dict[str, list[Word]] = field(default_factory=dict)
    toxicity: dict[str, list[Toxicity | None]] = field(default_factory=dict)
    """What was found in the translations of its complete parts."""
    drafted: bool = False
    """Whether a translation has been written before its part was complete."""
    start: int = 0
    """First sample."""
    revision: int = 0
    shown: tuple[str, int] = ("", 0)
    """Text and number of stable words of the last revision."""
    decoder: bool | None = None
    """Whether the label decoder wrote all words so far; None: no words yet."""
    readings: list[list[PartAlternative]] = field(default_factory=list)
    """Alternatives of each complete part, if n-best texts are requested."""


class EventWriter:
    """Collects the events of one stream. Words of complete parts are stable; a segment has one or more parts.

    Args:
        texts: translates what is written.

    Attributes:
        skipped: drafts of translations that were left out, see `TranslationEvent`.
    """

    def __init__(self, texts: TextTranslation) -> None:
        self._texts = texts
        self._events: list[Event] = []
        self._segment = self.skipped = 0
        self._open = _Open()

    def drain(self) -> list[Event]:
        """Return the events since the last call."""
        events, self._events = self._events, []
        return events

    @property
    def words(self) -> list[Word]:
        """Words of the complete parts of the current segment."""
        return self._open.words

    def speech(self, turns: list[tuple[int, bool]]) -> None:
        """Add events for starts and ends of speech: (sample, whether speech starts there); the list is emptied."""
        self._events += [SpeechEvent(started=started, at_s=sample / SAMPLE_RATE) for sample, started in turns]
        turns.clear()

    def language(self, switch: Switch | None, at_s: float) -> None:
        """Add an event for a language switch; None: no switch."""
        if switch is not None:
            self._events.append(
                LanguageEvent(
                    at_s=at_s, previous=switch.previous, language=switch.language, confidence=switch.confidence
                )
            )

    def endpoint(self, part: Part, options: StreamOptions) -> None:
        """Add the endpoint event of a part, if it contains speech."""
        if part.speech_end <= part.first_sample:
            return
        self._events.append(
            EndpointEvent(
                at_s=part.end_sample / SAMPLE_RATE,
                speech_end_s=part.speech_end / SAMPLE_RATE,
                decided_s=part.decided / SAMPLE_RATE,
                reason=str(part.reason),
                over=turn_over(part) if options.hears_turns else None,
            )
        )

    def add(self, requests: Sequence[Request], said: Sequence[list[Word]], *, decoder: bool) -> None:
        """Add the words of a complete part: one list per request, the transcript first.

        Args:
            decoder: whether the label decoder wrote the transcript.
        """
        opened = self._open
        opened.words += said[0]
        if said[0]:
            opened.decoder = decoder and opened.decoder is not False
        for request, words in zip(requests[1:], said[1:], strict=True):
            assert request.to is not None
            opened.translations.setdefault(request.to, []).extend(words)

    def add_toxicity(self, target: str, found: Toxicity | None) -> None:
        """Add what was found in the translation of a complete part."""
        self._open.toxicity.setdefault(target, []).append(found)

    def translation(
        self, target: str, words: Sequence[Word], end: int, *, append: bool, toxicity: Toxicity | None = None
    ) -> None:
        """Write the translation so far of the part under way.

        Args:
            target: ISO 639-3 code.
            words: of that part.
            end: sample up to which the part has been heard.
            append: whether they are stable.
            toxicity: what was kept out of them.
        """
        opened = self._open
        opened.drafted = True
        before = opened.translations.get(target, [])
        stable = len(before) + (len(words) if append else 0)
        self._events.append(self._translation(target, [*before, *words], end, stable=stable, toxicity=toxicity))

    def add_readings(self, found: list[PartAlternative]) -> None:
        """Add the alternatives of a complete part."""
        self._open.readings.append(found)

    def part_ended(self, part: Part, options: StreamOptions) -> None:
        """Write the segment's next revision: final, unless the part was cut for length and the segment is still
        short."""
        long = (part.end_sample - self._open.start) / SAMPLE_RATE >= options.max_segment_s
        final = part.reason is not Reason.max_length or long
        if self._revise([], part.end_sample, final=final, reason=part.reason, nbest=options.nbest):
            self._translations(part.end_sample, final=final)
            self._texts.part_ended(self._place(part.end_sample, closes=final))
        if final:
            self._segment += 1 if self._open.revision else 0
            self._open = _Open(start=part.end_sample)

    def partial(self, words: list[Word], end: int) -> None:
        """Write a partial: the words so far of the part under way, up to sample `end`; they may change."""
        self._revise(words, end, final=False, reason=None)
        self._texts.growing(self._place(end), words)

    def _place(self, end: int, *, closes: bool = False) -> TextPlace:
        """The place of a text in the current segment that has been heard up to sample `end`."""
        start_s, heard_s = self._open.start / SAMPLE_RATE, end / SAMPLE_RATE
        return TextPlace(segment=self._segment, start_s=start_s, heard_s=heard_s, closes=closes)

    def _revise(self, partial: list[Word], end: int, *, final: bool, reason: Reason | None, nbest: int = 1) -> bool:
        """Write a revision of the current segment if its text changed or it is final; whether one was written."""
        opened = self._open
        words = [*opened.words, *partial]
        shown = join(words), len(opened.words)
        if shown == opened.shown and not (final and (opened.revision or opened.drafted)):
            return False
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
                alternatives=together(opened.readings, nbest) if final else (),
            )
        )
        opened.revision += 1
        opened.shown = shown
        return True

    def _translations(self, end: int, *, final: bool) -> None:
        for target, words in self._open.translations.items():
            self._events.append(self._translation(target, words, end, stable=len(words), final=final))

    def _translation(
        self,
        target: str,
        words: Sequence[Word],
        end: int,
        *,
        stable: int,
        final: bool = False,
        toxicity: Toxicity | None = None,
    ) -> TranslationEvent:
        heard_s = end / SAMPLE_RATE
        return TranslationEvent(
            segment=self._segment,
            target=target,
            is_final=final,
            text=join(words),
            stable=stable,
            words=tuple(words),
            start_s=self._open.start / SAMPLE_RATE,
            end_s=heard_s,
            audio_s=heard_s,
            skipped=self.skipped,
            toxicity=joined_toxicity([*self._open.toxicity.get(target, []), toxicity]),
        )
