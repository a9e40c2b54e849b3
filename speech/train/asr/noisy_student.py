"""Noisy student training (Park et al. 2020, "Improved noisy student training for automatic speech recognition").

A teacher transcribes unlabelled speech; its confident transcripts are added, with noise, to the human-labelled data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from speech.data.manifest import Utterance
from speech.errors import ConfigError
from speech.metrics.edit.alignment import ErrorCounts
from speech.metrics.edit.error_rate import text_errors
from speech.transcript import Transcript


@dataclass(frozen=True, slots=True, kw_only=True)
class Sureness:
    """Criteria for keeping a teacher's transcripts.

    Raises:
        ConfigError: if a number is out of range.
    """

    least: float = 0.5
    """Minimum confidence of an utterance, 0 to 1."""
    share: float = 1.0
    """Maximum share of a language's utterances to keep, the most confident first."""

    def __post_init__(self) -> None:
        if not 0 <= self.least <= 1 or not 0 < self.share <= 1:
            raise ConfigError(f"least {self.least}, share {self.share}", fix="Expected numbers from 0 to 1.")


class Taught(NamedTuple):
    """A teacher's transcript of one utterance."""

    utterance: Utterance
    """The utterance with the teacher's text."""
    confidence: float
    errors: ErrorCounts
    """Character errors against the utterance's original text; only meaningful in experiments where that is known."""


class Lesson(NamedTuple):
    """A teacher's transcripts, kept and dropped."""

    kept: list[Taught]
    dropped: list[Taught]

    @staticmethod
    def error_rate(taught: Iterable[Taught]) -> float:
        """Character error rate, if the true texts are known."""
        return sum((one.errors for one in taught), ErrorCounts()).rate


def confidence(transcript: Transcript) -> float:
    """Confidence of a transcript: geometric mean of word confidences, weighted by characters; 0 if it is empty."""
    weights = [len(word.text) for word in transcript.words]
    if not sum(weights):
        return 0.0
    logs = [math.log(max(word.confidence, 1e-6)) for word in transcript.words]
    return math.exp(sum(w * value for w, value in zip(weights, logs, strict=True)) / sum(weights))


def teach(
    utterances: Sequence[Utterance], transcribe: Callable[[Sequence[Utterance]], Iterable[Transcript]], how: Sureness
) -> Lesson:
    """Transcribe utterances and keep the confident transcripts; original texts only serve to count errors.

    Args:
        utterances: utterances in one or several languages.
        transcribe: the teacher; returns transcripts in the order of the utterances.
        how: selection criteria.
    """
    found = [
        Taught(
            replace(utterance, text=transcript.text, translations={}),
            confidence(transcript),
            text_errors(utterance.text, transcript.text, utterance.languages).characters,
        )
        for utterance, transcript in zip(utterances, transcribe(utterances), strict=True)
    ]
    kept: set[str] = set()
    for language in dict.fromkeys(u.language for u in utterances):
        own = sorted((one for one in found if one.utterance.language == language), key=lambda one: -one.confidence)
        sure = [one for one in own[: math.ceil(how.share * len(own))] if one.confidence >= how.least]
        kept |= {one.utterance.id for one in sure if one.utterance.text.strip()}
    return Lesson([t for t in found if t.utterance.id in kept], [t for t in found if t.utterance.id not in kept])
