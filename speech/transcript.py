"""Transcripts: text, language and word timestamps, as plain data and as subtitles."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

from speech.errors import ConfigError
from speech.text.display_width import columns, may_break, pieces
from speech.text.languages import LANGUAGES
from speech.text.normalize import plain_text

UNDETERMINED = "und"
"""ISO 639-2 code for an unknown language, used where no speech reveals it."""
_CUE_S = 7.0
_PAUSE_S = 0.8
_LEAST_S = 5 / 6
"""Minimum duration of a cue, as broadcasters use: viewers do not read shorter ones."""
_SHORTEST_S = 0.02
"""Minimum duration of a cue even where the next word leaves no room."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word, or one character in a language written without spaces."""

    text: str
    start_s: float
    end_s: float
    confidence: float
    """0 to 1."""
    language: str | None
    """ISO 639-3."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """One hypothesis of an n-best list."""

    text: str
    confidence: float
    """Posterior probability among the hypotheses found, 0 to 1."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"text": self.text, "confidence": round(self.confidence, 4)}


@dataclass(frozen=True, slots=True)
class Toxicity:
    """Toxic words that a translation has added."""

    found: tuple[str, ...]
    """Entries of the list."""
    removed: bool
    """Whether the text was replaced by one without listed words; otherwise some stay."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"found": [*self.found], "removed": self.removed}


def joined_toxicity(several: Iterable[Toxicity | None]) -> Toxicity | None:
    """The toxicity of several texts together; None if there is none."""
    some = [one for one in several if one is not None]
    entries = tuple(dict.fromkeys(entry for one in some for entry in one.found))
    return Toxicity(entries, all(one.removed for one in some)) if some else None


def plain_words(words: Iterable[Word]) -> list[Word]:
    """Words without capitals and punctuation; words that become empty are dropped."""
    plain = ((word, plain_text(word.text)) for word in words)
    return [replace(word, text=text) for word, text in plain if text]


def join(words: Sequence[Word]) -> str:
    """Join words to a text, with a space between two words unless both languages are written without spaces."""
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
class SubtitleStyle:
    """Layout of subtitles.

    Raises:
        ConfigError: if a value is out of range.
    """

    max_line_width: int = 42
    """In columns: East Asian wide characters take two, combining marks none. Words are not cut: a longer word gets a
    line of its own."""
    max_lines: int = 2
    """Lines per cue."""
    max_cps: float = 20.0
    """Reading speed in columns per second. A cue stays on screen long enough to be read, but not past the next cue."""
    highlight_words: bool = False
    """Underline each word while it is spoken."""

    def __post_init__(self) -> None:
        if self.max_line_width < 2:
            raise ConfigError(f"lines of {self.max_line_width} columns", fix="Give at least 2.")
        if self.max_lines < 1:
            raise ConfigError(f"cues of {self.max_lines} lines", fix="Give at least 1.")
        if not (math.isfinite(self.max_cps) and self.max_cps > 0):
            raise ConfigError(f"a reading speed of {self.max_cps:g}", fix="Give columns a second, more than 0.")


USUAL = SubtitleStyle()


@dataclass(frozen=True, slots=True)
class Transcript:
    """The result of one file or array."""

    text: str
    language: str
    """ISO 639-3 code of the spoken language; `und` if unknown."""
    language_probability: float | None
    """None if the language is `und`."""
    task: str
    """`asr`, or `st_xxx` for translation into xxx."""
    duration_s: float
    words: tuple[Word, ...]
    """Timestamps of translated words are those of the frames that emit them; words of a text translator are spread over
    the sentence that they translate."""
    alternatives: tuple[Alternative, ...] = ()
    """N-best list including the text, most likely first; empty unless several texts are requested."""
    toxicity: Toxicity | None = None
    """Toxicity that the translation added before it was guarded; None: none was found, or there is no guard."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; times in seconds, rounded to milliseconds."""
        several = {"alternatives": [one.to_dict() for one in self.alternatives]} if self.alternatives else {}
        toxicity = {} if self.toxicity is None else {"toxicity": self.toxicity.to_dict()}
        return {
            "duration": round(self.duration_s, 3),
            "language": self.language,
            "language_probability": None if self.language_probability is None else round(self.language_probability, 4),
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
            **several,
            **toxicity,
        }

    def to_srt(self, style: SubtitleStyle = USUAL) -> str:
        """SubRip subtitles."""
        cues = enumerate(_shown(_cues(self.words, style), style, str), start=1)
        return "\n".join(f"{n}\n{_clock(a, ',')} --> {_clock(b, ',')}\n{text}\n" for n, (a, b, text) in cues)

    def to_vtt(self, style: SubtitleStyle = USUAL) -> str:
        """WebVTT subtitles."""
        cues = _shown(_cues(self.words, style), style, lambda text: html.escape(text, quote=False))
        return "WEBVTT\n" + "".join(f"\n{_clock(a, '.')} --> {_clock(b, '.')}\n{text}\n" for a, b, text in cues)

    def cues(self, style: SubtitleStyle = USUAL) -> Iterator[tuple[float, float, str]]:
        """Yield subtitles as (start_s, end_s, text), normally at most seven seconds long and without long pauses.

        Cues are in order, hold every word once and do not overlap.
        """
        for cue in _cues(self.words, style):
            yield cue.start_s, cue.end_s, cue.text(str)


class _LineUnit(NamedTuple):
    """An unbreakable piece of a line: a word, or one or a few characters in a language written without spaces."""

    text: str
    word: int
    """Index of its word in the cue, from 0."""
    space: bool
    """Whether a space precedes it, unless it begins a line."""
    breaks: bool
    """Whether a line may begin with it."""
    width: int
    """In columns."""


class _Cue(NamedTuple):
    start_s: float
    end_s: float
    words: list[Word]
    lines: list[list[_LineUnit]]

    def text(self, escape: Callable[[str], str], said: int | None = None) -> str:
        """The lines of the cue, with the word of index `said` underlined."""
        lines = []
        for line in self.lines:
            shown = [f"<u>{escape(p.text)}</u>" if p.word == said else escape(p.text) for p in line]
            spaces = ["", *(" " if p.space else "" for p in line[1:])]
            lines.append("".join(space + text for space, text in zip(spaces, shown, strict=True)))
        return "\n".join(lines)

    def moments(self) -> Iterator[tuple[float, float, int | None]]:
        """Split the cue's time into (start_s, end_s, word): one per spoken word, and gaps with word None."""
        now = self.start_s
        for number, word in enumerate(self.words):
            start, end = max(word.start_s, now), min(word.end_s, self.end_s)
            if start >= end:
                continue
            yield now, start, None
            yield start, end, number
            now = end
        yield now, self.end_s, None


def _shown(
    cues: Sequence[_Cue], style: SubtitleStyle, escape: Callable[[str], str]
) -> Iterator[tuple[float, float, str]]:
    for cue in cues:
        moments = cue.moments() if style.highlight_words else iter([(cue.start_s, cue.end_s, None)])
        for start_s, end_s, word in moments:
            if round(start_s * 1000) < round(end_s * 1000):
                yield start_s, end_s, cue.text(escape, word)


def _cues(words: Sequence[Word], style: SubtitleStyle) -> list[_Cue]:
    found: list[_Cue] = []
    for group, line_pieces in _groups([word for word in words if word.text.split()], style):
        start = max(group[0].start_s, found[-1].end_s if found else 0.0)
        end = max(group[-1].end_s, start + _SHORTEST_S)
        found.append(_Cue(start, end, group, _lines(line_pieces, style)))
    room = [*(cue.start_s for cue in found[1:]), math.inf][: len(found)]
    return [
        cue._replace(end_s=max(cue.end_s, min(cue.start_s + _reading_s(cue, style), next_s)))
        for cue, next_s in zip(found, room, strict=True)
    ]


def _reading_s(cue: _Cue, style: SubtitleStyle) -> float:
    """Seconds that a cue should stay on screen."""
    width = sum(map(_width, cue.lines))
    return min(max(_LEAST_S, width / style.max_cps), _CUE_S)


def _groups(words: Sequence[Word], style: SubtitleStyle) -> Iterator[tuple[list[Word], list[_LineUnit]]]:
    """Group words into cues: (words, line units) of each."""
    group: list[Word] = []
    held: list[_LineUnit] = []
    for word in words:
        more = _pieces(word, group)
        late = bool(group) and (
            word.end_s - group[0].start_s > _CUE_S
            or word.start_s - group[-1].end_s > _PAUSE_S
            or not _fits([*held, *more], style)
        )
        if late:
            yield group, held
            group, held = [], []
            more = _pieces(word, group)
        group.append(word)
        held += more
    if group:
        yield group, held


def _spaces(word: Word) -> bool:
    return word.language is None or LANGUAGES[word.language].spaces


def _pieces(word: Word, before: Sequence[Word]) -> list[_LineUnit]:
    """Line units of a word that follows `before` in its cue.

    Whitespace in the word becomes single spaces, as a subtitle file may not contain empty lines.
    """
    spaces = _spaces(word)
    text = " ".join(word.text.split())
    parts = [text] if spaces else pieces(text)
    space = bool(before) and (spaces or _spaces(before[-1]))
    breaks = not before or space or may_break(before[-1].text, text)
    number = len(before)
    first = _LineUnit(parts[0], number, space, breaks, columns(parts[0]))
    return [first, *(_LineUnit(part, number, False, True, columns(part)) for part in parts[1:])]


def _width(line: Sequence[_LineUnit]) -> int:
    return sum(piece.width for piece in line) + sum(piece.space for piece in line[1:])


def _fits(line_pieces: Sequence[_LineUnit], style: SubtitleStyle) -> bool:
    """Whether the units fit into one cue when lines are filled greedily."""
    lines, runs = 1, _unbroken(line_pieces)
    width = 0
    for run in runs:
        own = _width(run)
        if own > style.max_line_width:
            return False
        longer = width + run[0].space + own if width else own
        if longer > style.max_line_width:
            lines, longer = lines + 1, own
        width = longer
    return lines <= style.max_lines


def _unbroken(line_pieces: Sequence[_LineUnit]) -> list[list[_LineUnit]]:
    runs: list[list[_LineUnit]] = []
    for piece in line_pieces:
        if runs and not piece.breaks:
            runs[-1].append(piece)
        else:
            runs.append([piece])
    return runs


def _lines(line_pieces: list[_LineUnit], style: SubtitleStyle) -> list[list[_LineUnit]]:
    """Break the units into as few lines as possible, of balanced width."""
    runs = _unbroken(line_pieces)
    most = min(style.max_lines, len(runs))
    for count in range(1, most + 1):
        lines = _balanced(runs, count)
        if count == most or max(map(_width, lines)) <= style.max_line_width:
            return lines
    return [line_pieces]


def _balanced(runs: Sequence[list[_LineUnit]], count: int) -> list[list[_LineUnit]]:
    """Break into `count` lines with the smallest maximum width; on ties, choose the earliest breaks."""
    totals = [0]
    for run in runs:
        totals.append(totals[-1] + run[0].space + _width(run))

    def width(start: int, end: int) -> int:
        return totals[end] - totals[start] - runs[start][0].space

    # best[i]: maximum width of the lines over runs[:i], and their break points
    best: list[tuple[int, list[int]]] = [(width(0, i) if i else 0, [0, i]) for i in range(len(runs) + 1)]
    for line in range(2, count + 1):
        best = [
            min(((max(best[b][0], width(b, i)), [*best[b][1], i]) for b in range(line - 1, i)), key=lambda one: one[0])
            if i >= line
            else best[i]
            for i in range(len(runs) + 1)
        ]
    return [[piece for run in runs[a:b] for piece in run] for a, b in pairwise(best[len(runs)][1])]


def _clock(seconds: float, mark: str) -> str:
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{mark}{rest % 1000:03}"
