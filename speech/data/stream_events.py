"""Reads what `speech stream --jsonl` prints: the messages of one live session, as a text with emission times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from speech.errors import DataError

_FIRST = "started"


@dataclass(slots=True)
class _Segment:
    """One segment: the words of its last message, each with the time since which it has stood there."""

    words: list[str] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    text: str = ""
    """Of the final."""

    def revise(self, words: Sequence[str], at_s: float) -> None:
        same = 0
        while same < min(len(words), len(self.words)) and words[same] == self.words[same]:
            same += 1
        self.words = list(words)
        self.times_s = [*self.times_s[:same], *[at_s] * (len(words) - same)]


@dataclass(frozen=True, slots=True)
class StreamedText:
    """The text of one live session."""

    text: str
    words: tuple[str, ...]
    emitted_s: tuple[float, ...]
    """Seconds of audio that had been received when each word was written and not changed again."""
    duration_s: float | None
    """Of the audio, if the session ended."""


def begins_stream(record: Mapping[str, Any]) -> bool:
    """Whether a record is the first message of a session."""
    return record.get("type") == _FIRST and "session" in record


def streamed_text(messages: Iterable[tuple[Mapping[str, Any], str]], *, translation: bool) -> StreamedText:
    """The finals of a session's messages.

    Args:
        messages: with the place of each, "file:line".
        translation: read the translation instead of the transcript.

    Raises:
        DataError: if a message lacks a field, or the session has several targets or, for a translation, none.
    """
    wanted = "translation" if translation else "transcript"
    segments: dict[int, _Segment] = {}
    targets: set[str] = set()
    duration_s: float | None = None
    where = ""
    for message, where in messages:
        try:
            if message.get("type") == "end":
                duration_s = message["audio_ms"] / 1000
            if message.get("type") != wanted:
                continue
            targets.add(message.get("target", ""))
            words = [str(word["text"]) for word in message["words"]]
            at_s = (message["audio_ms"] + message["lag_ms"]) / 1000
            segment = segments.setdefault(message["segment"], _Segment())
            segment.revise(words, at_s)
            segment.text = message["text"] if message["is_final"] else segment.text
        except (KeyError, TypeError) as error:
            fix = "Give what `speech stream --jsonl` prints, with words."
            raise DataError(f"is no {wanted} message: {error!r}", where=where, fix=fix) from error
    if len(targets) > 1:
        raise DataError(f"has translations into {', '.join(sorted(targets))}", where=where, fix="Stream one --to.")
    if translation and not targets:
        raise DataError("has no translation", where=where, fix="Stream with --to.")
    ordered = [segments[number] for number in sorted(segments)]
    return StreamedText(
        " ".join(one.text for one in ordered if one.text),
        tuple(word for one in ordered for word in one.words),
        tuple(time_s for one in ordered for time_s in one.times_s),
        duration_s,
    )
