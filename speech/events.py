"""Events of a live session. Each is one message on the wire, where times are whole milliseconds of audio."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from speech.transcript import Alternative, Toxicity, Word, join


class Writer(StrEnum):
    """The decoder that wrote a final."""

    decoder = "decoder"
    """The label decoder wrote the whole text."""
    ctc = "ctc"
    """CTC: the model has no label decoder, its decoder does not know the language, or the server was overloaded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TranscriptEvent:
    """The text of a segment so far; each revision replaces the previous one."""

    type: ClassVar[str] = "transcript"
    segment: int
    """From 0; segments follow each other and do not overlap."""
    revision: int
    """From 0 within the segment."""
    is_final: bool
    """Whether this is the last revision of the segment."""
    text: str
    stable: int
    """Number of leading words that no later revision changes or removes."""
    words: tuple[Word, ...]
    start_s: float
    end_s: float
    audio_s: float
    """Position in the stream up to which audio has been decoded, in seconds."""
    reason: str | None = None
    """Why the segment ended; None if it has not."""
    written_by: Writer | None = None
    """Set on finals only; partial results always come from CTC."""
    alternatives: tuple[Alternative, ...] = ()
    """N-best list of a final, including its text, most likely first; empty unless several texts are requested."""

    @property
    def language(self) -> str | None:
        """The language of most words, ISO 639-3; None: not known."""
        codes = [word.language for word in self.words if word.language is not None]
        return max(dict.fromkeys(codes), key=codes.count) if codes else None

    def delta(self, after: int) -> str:
        """Text of the stable words after the first `after`. Successive deltas concatenate to the stable text."""
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
    """The translation of a segment so far. The text only grows."""

    type: ClassVar[str] = "translation"
    segment: int
    target: str
    """ISO 639-3."""
    is_final: bool
    text: str
    stable: int
    """Leading words that later events neither change nor remove."""
    words: tuple[Word, ...]
    """With the times of the speech that they translate."""
    start_s: float
    end_s: float
    audio_s: float
    skipped: int = 0
    """Drafts of the stream that have been left out so far because the server was late; see `StreamOptions`."""
    toxicity: Toxicity | None = None
    """Toxic words that the translation has added so far, and whether they were removed; None: none, or no guard."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        skipped = {"skipped": self.skipped} if self.skipped else {}
        toxicity = {} if self.toxicity is None else {"toxicity": self.toxicity.to_dict()}
        return {
            "type": self.type,
            "segment": self.segment,
            "target": self.target,
            "is_final": self.is_final,
            "text": self.text,
            "stable": self.stable,
            "words": [word_dict(word) for word in self.words],
            "source": [milliseconds(self.start_s), milliseconds(self.end_s)],
            "audio_ms": milliseconds(self.audio_s),
            **skipped,
            **toxicity,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class LanguageEvent:
    """The spoken language changed, or the first language was identified."""

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
    """The voice activity detector found the start or end of speech."""

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
    """A segment that contains speech ended."""

    type: ClassVar[str] = "endpoint"
    at_s: float
    """Where the segment is cut."""
    speech_end_s: float
    decided_s: float
    """Seconds of audio received when the endpoint was decided."""
    reason: str
    over: float | None = None
    """Log-odds, by voice, that the speaker's turn is over; None: not judged. Clients are not told."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "type": self.type,
            "at_ms": milliseconds(self.at_s),
            "reason": self.reason,
            "latency_ms": milliseconds(self.decided_s - self.speech_end_s),
        }


@dataclass(frozen=True, slots=True)
class WarningEvent:
    """Something does not work, but the session goes on."""

    type: ClassVar[str] = "warning"
    code: str
    message: str

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"type": self.type, "code": self.code, "message": self.message}


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreEvent:
    """Error rates of the finals so far, in sessions with a reference text (`speech.metrics.live`)."""

    type: ClassVar[str] = "score"
    is_final: bool
    """True: all finals against the whole reference. False: finals so far against the part of it that has been said."""
    segment: int | None
    """Segment of the newest final in the score; None for the last score."""
    at_s: float
    counts: Mapping[str, tuple[int, int]]
    """Name of a rate -> (errors, units)."""
    reference_units: int
    """Length of the reference in this score, in mixed units."""
    reference_units_in_all: int
    sentences: tuple[tuple[int, int, int], ...]
    """(number, errors, units) of the reference messages whose errors may have changed."""
    signature: str
    """Scoring settings. Two scores are comparable only if their signatures are equal."""
    saer: float | None = None
    distance: float | None = None
    encoder: str | None = None
    missing: str | None = None
    """Why `saer` is None."""

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


Event = TranscriptEvent | TranslationEvent | LanguageEvent | SpeechEvent | EndpointEvent | WarningEvent


def word_dict(word: Word) -> dict[str, Any]:
    """A word as plain data for JSON."""
    return {
        "text": word.text,
        "start_ms": milliseconds(word.start_s),
        "end_ms": milliseconds(word.end_s),
        "conf": round(word.confidence, 4),
        "lang": word.language,
    }


def milliseconds(seconds: float) -> int:
    """Convert seconds to whole milliseconds."""
    return round(seconds * 1000)
