"""What a live session says. One to one on the wire: times there are whole milliseconds of audio."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from speech.transcript import Alternative, Word, join


class Writer(StrEnum):
    """Who has written a final."""

    decoder = "decoder"
    """The label decoder, all of it."""
    ctc = "ctc"
    """CTC: the model has no label decoder or that does not know the language, or the server was behind."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TranscriptEvent:
    """The text of a segment so far; each revision replaces the one before."""

    type: ClassVar[str] = "transcript"
    segment: int
    """From 0; segments follow each other and do not overlap."""
    revision: int
    """From 0 within the segment."""
    is_final: bool
    """The last revision of the segment."""
    text: str
    stable: int
    """Leading words that no later revision changes or takes back."""
    words: tuple[Word, ...]
    start_s: float
    end_s: float
    audio_s: float
    """How far into the stream the words have been looked for."""
    reason: str | None = None
    """Why the segment ended."""
    written_by: Writer | None = None
    """Of a final; partial results are always CTC's."""
    alternatives: tuple[Alternative, ...] = ()
    """Of a final, where several texts are asked for: the text and others, from likely to unlikely."""

    def delta(self, after: int) -> str:
        """The text of the stable words behind the first `after`; joined, they are the text."""
        return join(self.words[: self.stable])[len(join(self.words[:after])) :]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        shares: dict[str, int] = {}
        for word in self.words:
            shares[word.language or "und"] = shares.get(word.language or "und", 0) + 1
        record: dict[str, Any] = {
            "type": self.type,
            "segment": self.segment,
            "rev": self.revision,
            "is_final": self.is_final,
            "text": self.text,
            "stable": self.stable,
            "start_ms": milliseconds(self.start_s),
            "end_ms": milliseconds(self.end_s),
            "words": [word_dict(word) for word in self.words],
            "languages": [{"code": code, "share": round(count / len(self.words), 3)} for code, count in shares.items()],
            "audio_ms": milliseconds(self.audio_s),
        }
        if self.reason is not None:
            record["reason"] = self.reason
        if self.written_by is not None:
            record["written_by"] = str(self.written_by)
        if self.alternatives:
            record["alternatives"] = [one.to_dict() for one in self.alternatives]
        return record


@dataclass(frozen=True, kw_only=True, slots=True)
class TranslationEvent:
    """The translation of a segment so far; it only grows."""

    type: ClassVar[str] = "translation"
    segment: int
    target: str
    """ISO 639-3."""
    is_final: bool
    text: str
    stable: int
    start_s: float
    end_s: float
    audio_s: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "type": self.type,
            "segment": self.segment,
            "target": self.target,
            "is_final": self.is_final,
            "text": self.text,
            "stable": self.stable,
            "source": [milliseconds(self.start_s), milliseconds(self.end_s)],
            "audio_ms": milliseconds(self.audio_s),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class LanguageEvent:
    """The speaker turned to another language, or the first one became clear."""

    type: ClassVar[str] = "language"
    at_s: float
    previous: str | None
    language: str
    confidence: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "type": self.type,
            "at_ms": milliseconds(self.at_s),
            "from": self.previous,
            "to": self.language,
            "conf": round(self.confidence, 4),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class SpeechEvent:
    """Speech began or ended, as the voice detector hears it."""

    started: bool
    at_s: float

    @property
    def type(self) -> str:
        return "speech_started" if self.started else "speech_ended"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"type": self.type, "at_ms": milliseconds(self.at_s)}


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointEvent:
    """A segment with speech ended."""

    type: ClassVar[str] = "endpoint"
    at_s: float
    """The cut."""
    speech_end_s: float
    decided_s: float
    """How much audio had been heard when it was decided."""
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "type": self.type,
            "at_ms": milliseconds(self.at_s),
            "reason": self.reason,
            "latency_ms": milliseconds(self.decided_s - self.speech_end_s),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreEvent:
    """How right the finals have been, where somebody tells what is really said (`speech.metrics.live`)."""

    type: ClassVar[str] = "score"
    is_final: bool
    """All finals against the whole reference; otherwise those so far against what has been said of it."""
    segment: int | None
    """The final after which it holds; None for the last score."""
    at_s: float
    counts: Mapping[str, tuple[int, int]]
    """Rate -> errors and units."""
    reference_units: int
    """How much of the reference it is against, in mixed units."""
    reference_units_in_all: int
    sentences: tuple[tuple[int, int, int], ...]
    """Number, errors, units of those messages with parts of the reference whose errors may have changed."""
    signature: str
    """What has to be equal for two scores to be comparable."""
    saer: float | None = None
    distance: float | None = None
    encoder: str | None = None
    missing: str | None = None
    """Why there is no SAER."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        rates = {
            name: {"errors": errors, "units": count, "rate": errors / count if count else None}
            for name, (errors, count) in self.counts.items()
        }
        record: dict[str, Any] = {
            "type": self.type,
            "is_final": self.is_final,
            "segment": self.segment,
            "at_ms": milliseconds(self.at_s),
            "so_far": {**rates, "saer": self.saer, "distance": self.distance},
            "reference": {"units": self.reference_units, "of": self.reference_units_in_all},
            "sentences": [{"sentence": n, "errors": errors, "units": count} for n, errors, count in self.sentences],
            "encoder": self.encoder,
            "signature": self.signature,
        }
        return record if self.missing is None else {**record, "no_saer": self.missing}


Event = TranscriptEvent | TranslationEvent | LanguageEvent | SpeechEvent | EndpointEvent


def word_dict(word: Word) -> dict[str, Any]:
    """A word on the wire."""
    return {
        "text": word.text,
        "start_ms": milliseconds(word.start_s),
        "end_ms": milliseconds(word.end_s),
        "conf": round(word.confidence, 4),
        "lang": word.language,
    }


def milliseconds(seconds: float) -> int:
    """Seconds on the wire."""
    return round(seconds * 1000)
