"""Noisy students (Park et al. 2020, "Improved noisy student training for automatic speech recognition"): a teacher
transcribes speech that nobody has transcribed; what it is sure of is trained on, with noise, beside what people wrote.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from speech.data.manifest import Utterance
from speech.errors import ConfigError
from speech.metrics.edit.alignment import ErrorCounts
from speech.metrics.edit.error_rate import character_errors
from speech.transcript import Transcript


@dataclass(frozen=True, slots=True, kw_only=True)
class Sureness:
    """Which of a teacher's transcripts are believed.

    Raises:
        ConfigError: if a number is out of range.
    """

    least: float = 0.5
    """Confidence of an utterance, 0 to 1."""
    share: float = 1.0
    """At most this share of a language's utterances, the surest ones."""

    def __post_init__(self) -> None:
        if not 0 <= self.least <= 1 or not 0 < self.share <= 1:
            raise ConfigError(f"least {self.least}, share {self.share}", fix="Expected numbers from 0 to 1.")


class Taught(NamedTuple):
    """What a teacher says of one utterance."""

    utterance: Utterance
    """With the teacher's text."""
    confidence: float
    errors: ErrorCounts
    """Characters, against the text that the utterance came with: known in experiments only."""


class Lesson(NamedTuple):
    """A teacher's transcripts."""

    kept: list[Taught]
    dropped: list[Taught]

    @staticmethod
    def error_rate(taught: Iterable[Taught]) -> float:
        """Characters that are wrong, where the truth is known."""
        return sum((one.errors for one in taught), ErrorCounts()).rate


def confidence(transcript: Transcript) -> float:
    """Of all that was said: the geometric mean over characters of their words' confidences; 0 if nothing was."""
    weights = [len(word.text) for word in transcript.words]
    if not sum(weights):
        return 0.0
    logs = [math.log(max(word.confidence, 1e-6)) for word in transcript.words]
    return math.exp(sum(w * value for w, value in zip(weights, logs, strict=True)) / sum(weights))


def teach(
    utterances: Sequence[Utterance], transcribe: Callable[[Sequence[Utterance]], Iterable[Transcript]], how: Sureness
) -> Lesson:
    """Transcribe utterances, whose own texts are looked at only to say how good the teacher is, and keep what is sure.

    Args:
        utterances: of one or several languages.
        transcribe: the teacher; transcripts come in the order of the utterances.
        how: to choose.
    """
    found = [
        Taught(
            replace(utterance, text=transcript.text, translations={}),
            confidence(transcript),
            character_errors(utterance.text, transcript.text, utterance.language),
        )
        for utterance, transcript in zip(utterances, transcribe(utterances), strict=True)
    ]
    kept: set[str] = set()
    for language in dict.fromkeys(u.language for u in utterances):
        own = sorted((one for one in found if one.utterance.language == language), key=lambda one: -one.confidence)
        sure = [one for one in own[: math.ceil(how.share * len(own))] if one.confidence >= how.least]
        kept |= {one.utterance.id for one in sure if one.utterance.text.strip()}
    return Lesson([t for t in found if t.utterance.id in kept], [t for t in found if t.utterance.id not in kept])
