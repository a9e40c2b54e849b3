"""Endpointing: rules on the speech probabilities of a stream that end segments, the same live and offline.

Decisions are causal. Every frame of the stream belongs to exactly one segment: silence and noise are separated from
speech, but never dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from speech.audio.vad import FRAME_S
from speech.errors import ConfigError

_RELEASE = 0.15
_SMOOTH_FRAMES = 5
_AHEAD_FRAMES = 4
"""The end of a pause is expected at least so early, but not in its first half."""


class Reason(StrEnum):
    """Why a segment ended; names equal values."""

    silence = "silence"
    """The speaker paused."""
    blanks = "blanks"
    """The recognizer found no words for a long time, whatever the voice detector found."""
    no_speech = "no_speech"
    """No speech for a long time."""
    max_length = "max_length"
    """Maximum length reached; cut where speech is least likely."""
    client = "client"
    """Requested by the client."""
    stop = "stop"
    """The stream ended."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointConfig:
    """Endpointing rules. Durations are in seconds, rounded to VAD frames of 32 ms."""

    threshold: float = 0.5
    """Probability at which speech starts; it ends when the probability drops 0.15 below."""
    murmur: float = 0.12
    """A segment is silent, and is not read, if no frame reaches this probability."""
    silence_s: float = 0.5
    """Pause that ends a segment."""
    murmured_s: float | None = None
    """Pause that ends a segment although something in the end of a shorter one reaches `murmur`, as words do that die
    away, which are not to be cut. None: `silence_s`, whatever is heard."""
    soft_s: float = 8.0
    """Segment length from which the shorter pause `soft_silence_s` ends it."""
    soft_silence_s: float = 0.2
    idle_s: float = 4.0
    """Length at which a segment without speech ends."""
    max_s: float = 16.0
    """Maximum segment length; longer segments are cut in their second half, where speech is least likely."""
    blank_s: float | None = None
    """Live only: end a segment if no word was recognized for this long after its last one, although the voice detector
    still finds speech, such as music, noise or a distant voice. None: never. The rule depends on partial results,
    which files do not have and busy servers produce later, so finals may differ from those of a file."""

    def __post_init__(self) -> None:
        if not 0 <= self.murmur <= self.threshold < 1:
            raise ConfigError(
                f"murmur {self.murmur}, threshold {self.threshold}", fix="Let 0 <= murmur <= threshold < 1."
            )
        if not FRAME_S <= self.soft_silence_s <= self.silence_s <= self.soft_s <= self.max_s:
            raise ConfigError(
                f"soft_silence_s {self.soft_silence_s}, silence_s {self.silence_s}, soft_s {self.soft_s}, "
                f"max_s {self.max_s}",
                fix=f"Let {FRAME_S} <= soft_silence_s <= silence_s <= soft_s <= max_s.",
            )
        if self.blank_s is not None and self.blank_s < self.soft_silence_s:
            raise ConfigError(
                f"blank_s {self.blank_s} is less than soft_silence_s {self.soft_silence_s}", fix="Raise it."
            )
        if self.murmured_s is not None and self.murmured_s < self.silence_s:
            raise ConfigError(
                f"murmured_s {self.murmured_s} is less than silence_s {self.silence_s}", fix="Raise murmured_s."
            )
        if self.idle_s < self.silence_s:
            raise ConfigError(f"idle_s {self.idle_s} is less than silence_s {self.silence_s}", fix="Raise idle_s.")

    def within(self, longest_s: float | None) -> EndpointConfig:
        """The rules for a model that reads at most `longest_s` seconds at once."""
        return self if longest_s is None or self.max_s <= longest_s else self.limited(self.silence_s, longest_s)

    def limited(self, silence_s: float | None, max_s: float) -> EndpointConfig:
        """The rules with another pause (None: pauses end nothing) and another maximum length."""
        if silence_s is None:
            return replace(
                self, silence_s=max_s, soft_s=max_s, soft_silence_s=max_s, idle_s=max_s, max_s=max_s, blank_s=None,
                murmured_s=None,
            )  # fmt: skip
        silence_s = min(silence_s, max_s)
        return replace(
            self,
            silence_s=silence_s,
            soft_silence_s=min(self.soft_silence_s, silence_s),
            soft_s=min(max(self.soft_s, silence_s), max_s),
            idle_s=max(self.idle_s, silence_s),
            max_s=max_s,
            murmured_s=None if self.murmured_s is None else max(self.murmured_s, silence_s),
        )


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The end of a segment. Frames are counted from the start of the stream."""

    frame: int
    """First frame of the next segment."""
    speech_end: int
    """Frame after the segment's last speech; its first frame if there was none."""
    quiet: bool
    """Whether the cut is in a pause."""
    silent: bool
    """Whether the segment contains no speech."""
    reason: Reason


class Endpointer:
    """Turns speech probabilities into endpoints.

    Attributes:
        start: first frame of the current segment.
        speech_begin: first speech frame of the current segment; None if there has been none.
        speaking: whether speech is in progress, for a voice indicator.
    """

    def __init__(self, config: EndpointConfig | None = None) -> None:
        self.config = config or EndpointConfig()
        self.start = 0
        self.speech_begin: int | None = None
        self._probabilities: list[float] = []
        self._spoken = 0  # length of the segment up to its last speech frame; 0: no speech so far
        self._murmured = 0  # the same for frames that reach `murmur`
        self._active = False

    @property
    def speaking(self) -> bool:
        return self._active

    def step(self, probability: float) -> Endpoint | None:
        """Process the probability of one frame; returns an endpoint if a segment ends with it."""
        self.take(probability)
        return self._check()

    def take(self, probability: float) -> None:
        """Process the probability of one frame without checking for an endpoint."""
        self._probabilities.append(probability)
        self._active = probability >= self.config.threshold - (_RELEASE if self._active else 0.0)
        if probability >= self.config.murmur:
            self._murmured = len(self._probabilities)
        if self._active:
            self._spoken = len(self._probabilities)
            if self.speech_begin is None:
                self.speech_begin = self.start + self._spoken - 1

    def cut(self, reason: Reason) -> Endpoint:
        """End the segment here, regardless of the rules."""
        quiet = not self._active
        return self._end(len(self._probabilities), quiet, reason)

    def cut_blanks(self, said: int, frame: int) -> Endpoint:
        """End the segment at the past frame `frame`; `said` is the frame where its last word ends."""
        self._spoken = min(self._spoken, max(said - self.start, 1))
        return self._end(frame - self.start, True, Reason.blanks)

    def here(self) -> Endpoint:
        """The endpoint if the segment ended now; the segment itself continues."""
        return self._endpoint(len(self._probabilities), not self._active, Reason.client)

    def expected(self) -> Endpoint | None:
        """The endpoint that the current pause will cause unless speech resumes; None until three quarters of it have
        passed, or, if it is short, half: what is read then takes about as long as the rest."""
        length, config = len(self._probabilities), self.config
        if not self._spoken or self._active:
            return None
        silence, soft = _frames(config.silence_s), _frames(config.soft_silence_s)
        end, pause = self._ends(silence), silence
        softly = max(self._ends(soft), _frames(config.soft_s))
        if softly < end:
            end, pause = softly, soft
        ahead = max(pause // 4, min(pause // 2, _AHEAD_FRAMES))
        return self._endpoint(end - pause // 2, True, Reason.silence) if length >= end - ahead else None

    def _check(self) -> Endpoint | None:
        length, config = len(self._probabilities), self.config
        silence, soft = _frames(config.silence_s), _frames(config.soft_silence_s)
        if self._spoken and length >= self._ends(silence):
            return self._end(length - silence // 2, True, Reason.silence)
        if self._spoken and length >= _frames(config.soft_s) and length >= self._ends(soft):
            return self._end(length - soft // 2, True, Reason.silence)
        if not self._spoken and length >= _frames(config.idle_s):
            return self._end(length - silence // 2, True, Reason.no_speech)
        if length >= _frames(config.max_s):
            return self._end(self._least_likely(), False, Reason.max_length)
        return None

    def _ends(self, silence: int) -> int:
        """Length at which a pause ends the segment if nothing more is heard; `silence`: frames of a silent one."""
        end = self._spoken + silence
        if self.config.murmured_s is None:
            return end
        longest = self._spoken + max(_frames(self.config.murmured_s), silence)
        return min(max(end, self._murmured + silence // 2), longest)

    def _least_likely(self) -> int:
        """Frame in the second half where the smoothed speech probability is lowest; ties prefer the latest."""
        kernel = np.full(_SMOOTH_FRAMES, 1 / _SMOOTH_FRAMES)
        first = len(self._probabilities) // 2
        smooth = np.convolve(np.array(self._probabilities[first:]), kernel, mode="valid")
        return first + _SMOOTH_FRAMES // 2 + len(smooth) - 1 - int(smooth[::-1].argmin())

    def _endpoint(self, length: int, quiet: bool, reason: Reason) -> Endpoint:
        silent = max(self._probabilities[:length], default=0.0) < self.config.murmur
        return Endpoint(self.start + length, self.start + min(self._spoken, length), quiet, silent, reason)

    def _end(self, length: int, quiet: bool, reason: Reason) -> Endpoint:
        endpoint = self._endpoint(length, quiet, reason)
        rest, active = self._probabilities[length:], self._active
        self.start += length
        self._probabilities, self._spoken, self._active, self.speech_begin = [], 0, False, None
        self._murmured = 0
        for probability in rest:  # belongs to the next segment; too short to end it
            self.take(probability)
        self._active = active
        return endpoint


def _frames(seconds: float) -> int:
    return max(1, round(seconds / FRAME_S))
