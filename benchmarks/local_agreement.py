"""The peer of the live server: Whisper behind LocalAgreement-2, on a virtual clock.

Implements Machacek, Dabre, Bojar, "Turning Whisper into Real-Time Transcription System" (2023), section 2: a growing
buffer is transcribed repeatedly, the common prefix of two successive hypotheses is confirmed, and the buffer is cut
after confirmed segments. One model serves all sessions in the order in which they have enough new audio, as a simple
server does. Audio arrives in real time on a virtual clock, which advances by the measured time of each transcription,
so nothing sleeps.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from speech.audio import SAMPLE_RATE

NEW_S = 1.0
"""Seconds of new audio before the next transcription, as in the paper's experiments."""
BUFFER_S = 15.0
PROMPT = 200
"""Characters of confirmed text before the buffer that are given as a prompt."""


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word and its times in the stream, in seconds."""

    text: str
    start: float
    end: float

    @property
    def plain(self) -> str:
        """Normalised text for comparison."""
        return self.text.strip().strip(".,!?;:\"'").lower()


@dataclass
class Session:
    """One stream.

    Attributes:
        shown: delays from the end of a word to the first hypothesis that contains it, in seconds.
        settled: delays from the end of a word to its confirmation.
        lags: delays from the newest audio to the end of its transcription.
        finished: time at which the last transcription was ready.
    """

    samples: np.ndarray
    language: str | None
    confirmed: list[TimedWord] = field(default_factory=list)
    shown: list[float] = field(default_factory=list)
    settled: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    finished: float = 0.0
    _erased: int = 0
    _previous: list[TimedWord] = field(default_factory=list)
    _begin: float = 0.0
    _heard: float = 0.0
    _most_shown: int = 0

    @property
    def seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE

    @property
    def done(self) -> bool:
        return self._heard >= self.seconds

    @property
    def ready_at(self) -> float:
        """Time at which there is enough new audio."""
        return min(self._heard + NEW_S, self.seconds)

    @property
    def text(self) -> str:
        return "".join(word.text for word in self.confirmed).strip()

    @property
    def erasure(self) -> float:
        """Normalised erasure: words shown and retracted, per final word."""
        return self._erased / max(len(self.confirmed), 1)

    def turn(self, whisper: Any, now: float) -> float:
        """Transcribe the buffer at time `now`; return the time at which the result is ready."""
        heard = min(now, self.seconds)
        buffer = self.samples[round(self._begin * SAMPLE_RATE) : round(heard * SAMPLE_RATE)]
        before = "".join(word.text for word in self.confirmed if word.end < self._begin)[-PROMPT:]
        started = time.perf_counter()
        found, _ = whisper.transcribe(
            buffer, language=self.language, beam_size=5, word_timestamps=True, condition_on_previous_text=False,
            initial_prompt=before or None,
        )  # fmt: skip
        segments = list(found)
        ready = now + time.perf_counter() - started
        words = [
            TimedWord(word.word, word.start + self._begin, word.end + self._begin)
            for segment in segments
            for word in segment.words or []
        ]
        self._heard = heard
        self._agree(words, ready)
        self._cut([segment.end + self._begin for segment in segments])
        self.lags.append(ready - heard)
        self.finished = ready
        return ready

    def _agree(self, words: list[TimedWord], ready: float) -> None:
        last = self.confirmed[-1].end if self.confirmed else 0.0
        words = self._without_overlap([word for word in words if word.start > last - 0.1])
        count = len(self.confirmed) + len(words)
        fresh = words[max(self._most_shown - len(self.confirmed), 0) :]
        self.shown += [ready - word.end for word in fresh]
        self._most_shown = max(self._most_shown, count)
        common = _common(words, self._previous)
        self._erased += len(self._previous) - common
        alike = len(words) if self.done else common
        self.confirmed += words[:alike]
        self.settled += [ready - word.end for word in words[:alike]]
        self._previous = words[alike:]

    def _without_overlap(self, words: list[TimedWord]) -> list[TimedWord]:
        """Remove up to five words that repeat the end of the confirmed words."""
        for count in range(min(5, len(self.confirmed), len(words)), 0, -1):
            if [w.plain for w in self.confirmed[-count:]] == [w.plain for w in words[:count]]:
                return words[count:]
        return words

    def _cut(self, segment_ends: Sequence[float]) -> None:
        if self._heard - self._begin <= BUFFER_S or not self.confirmed:
            return
        last = self.confirmed[-1].end
        ends = [end for end in segment_ends if end <= last]
        self._begin = ends[-1] if ends else last


def _common(words: Sequence[TimedWord], others: Sequence[TimedWord]) -> int:
    for number, (word, other) in enumerate(zip(words, others, strict=False)):
        if word.plain != other.plain:
            return number
    return min(len(words), len(others))


def run(whisper: Any, sessions: Sequence[Session]) -> None:
    """Run all sessions to their end."""
    now = 0.0
    while waiting := [session for session in sessions if not session.done]:
        session = min(waiting, key=lambda s: s.ready_at)
        now = max(now, session.ready_at)
        now = session.turn(whisper, now)
