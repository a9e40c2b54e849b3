"""What was said, in which language, and when; as data and as subtitles."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from speech.text.languages import LANGUAGES

_LINE = 42
_CUE_S = 7.0
_PAUSE_S = 0.8
_SHORTEST_CUE_S = 0.02


@dataclass(frozen=True, slots=True)
class Word:
    """A word, or a character where a language writes no spaces."""

    text: str
    start_s: float
    end_s: float
    confidence: float
    """0 to 1."""
    language: str | None
    """ISO 639-3."""


def join(words: Sequence[Word]) -> str:
    """The text of words: a space between two, unless both are of languages that write none."""
    parts: list[str] = []
    tight = True
    for word in words:
        spaces = word.language is None or LANGUAGES[word.language].spaces
        if parts and (spaces or not tight):
            parts.append(" ")
        parts.append(word.text)
        tight = not spaces
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class Transcript:
    """The result of one file or array."""

    text: str
    language: str
    """ISO 639-3 of the speech."""
    language_probability: float
    task: str
    """`asr`, or `st_xxx` for translation into xxx."""
    duration_s: float
    words: tuple[Word, ...]
    """Times of translated words are those of the frames that emit them."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; times in seconds, rounded to milliseconds."""
        return {
            "duration": round(self.duration_s, 3),
            "language": self.language,
            "language_probability": round(self.language_probability, 4),
            "task": self.task,
            "text": self.text,
            "words": [
                {
                    "text": word.text,
                    "start": round(word.start_s, 3),
                    "end": round(word.end_s, 3),
                    "confidence": round(word.confidence, 4),
                    "language": word.language,
                }
                for word in self.words
            ],
        }

    def to_srt(self) -> str:
        """SubRip subtitles."""
        cues = enumerate(self.cues(), start=1)
        return "\n".join(f"{n}\n{_clock(a, ',')} --> {_clock(b, ',')}\n{text}\n" for n, (a, b, text) in cues)

    def to_vtt(self) -> str:
        """WebVTT subtitles."""
        cues = "".join(
            f"\n{_clock(a, '.')} --> {_clock(b, '.')}\n{html.escape(text, quote=False)}\n" for a, b, text in self.cues()
        )
        return f"WEBVTT\n{cues}"

    def cues(self) -> Iterator[tuple[float, float, str]]:
        """Subtitles as (start_s, end_s, text): two lines, seven seconds, no long pause within."""
        last_end = 0.0
        for group in self._groups():
            start = max(group[0].start_s, last_end)
            end = max(group[-1].end_s, start + _SHORTEST_CUE_S)
            yield start, end, _lines(group)
            last_end = end

    def _groups(self) -> Iterator[list[Word]]:
        group: list[Word] = []
        for word in self.words:
            late = bool(group) and (
                word.end_s - group[0].start_s > _CUE_S
                or word.start_s - group[-1].end_s > _PAUSE_S
                or not _fits([*group, word])
            )
            if late:
                yield group
                group = []
            group.append(word)
        if group:
            yield group


def _lines(words: Sequence[Word]) -> str:
    """One line, or two of about the same length."""
    whole = join(words)
    if len(whole) <= _LINE or len(words) < 2:
        return whole
    splits = [(join(words[:n]), join(words[n:])) for n in range(1, len(words))]
    return "\n".join(min(splits, key=lambda pair: max(map(len, pair))))


def _fits(words: Sequence[Word]) -> bool:
    return all(len(line) <= _LINE for line in _lines(words).split("\n"))


def _clock(seconds: float, mark: str) -> str:
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{mark}{rest % 1000:03}"
