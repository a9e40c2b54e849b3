"""Corpus-level error counts of one system: sums over its utterances."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from speech.metrics.bootstrap import SEED, Interval, ratios
from speech.metrics.code_switching import LanguageErrors, PointErrors
from speech.metrics.edit.alignment import ErrorCounts
from speech.metrics.edit.error_rate import WER_VERSION
from speech.metrics.utterance import UtteranceScore
from speech.text.normalize import NORMALIZER_VERSION


@dataclass(frozen=True, slots=True)
class SilenceErrors:
    """Insertions in utterances whose reference is empty; counts only, since a rate is undefined."""

    utterances: int = 0
    """Number of utterances with an empty reference."""
    words: int = 0
    """Words inserted there, as WER counts them."""
    characters: int = 0


@dataclass(frozen=True, slots=True)
class CorpusScore:
    """Sums over the utterances of a corpus."""

    utterances: int = 0
    words: ErrorCounts = field(default_factory=ErrorCounts)
    characters: ErrorCounts = field(default_factory=ErrorCounts)
    mixed: ErrorCounts = field(default_factory=ErrorCounts)
    points: PointErrors = field(default_factory=PointErrors)
    switches: ErrorCounts = field(default_factory=ErrorCounts)
    attributed: LanguageErrors = field(default_factory=LanguageErrors)
    silence: SilenceErrors = field(default_factory=SilenceErrors)


SIGNATURE = f"normalizer:{NORMALIZER_VERSION}|wer:{WER_VERSION}"
RATES: dict[str, Callable[[UtteranceScore], ErrorCounts]] = {
    "wer": lambda one: one.words,
    "cer": lambda one: one.characters,
    "mer": lambda one: one.mixed,
    "pier": lambda one: one.points.points,
    "switch": lambda one: one.switches,
}
"""Rate name -> the errors that it counts."""


def total(scores: Sequence[UtteranceScore]) -> CorpusScore:
    """Sum the scores of a corpus."""
    silent = [one for one in scores if not one.characters.reference_length]
    return CorpusScore(
        len(scores),
        _sum(one.words for one in scores),
        _sum(one.characters for one in scores),
        _sum(one.mixed for one in scores),
        PointErrors(
            _sum(one.points.points for one in scores),
            _sum(one.points.rest for one in scores),
            sum(one.points.skipped for one in scores),
        ),
        _sum(one.switches for one in scores),
        LanguageErrors(sum(one.attributed.errors for one in scores), sum(one.attributed.words for one in scores)),
        SilenceErrors(
            len(silent),
            sum(one.words.insertions for one in silent),
            sum(one.characters.insertions for one in silent),
        ),
    )


def intervals(scores: Sequence[UtteranceScore], seed: int = SEED) -> dict[str, Interval]:
    """95 % confidence interval of each rate that has units, by resampling utterances."""
    errors, lengths = rate_columns(scores)
    return {name: one for name, one in zip(RATES, ratios(errors, lengths, seed), strict=True) if one is not None}


def rate_columns(scores: Sequence[UtteranceScore]) -> tuple[np.ndarray, np.ndarray]:
    """Errors and reference lengths of each of `RATES`, two arrays `(utterances, rates)`."""
    counts = [[counts_of(score) for counts_of in RATES.values()] for score in scores]
    errors = np.array([[one.errors for one in row] for row in counts], float)
    return errors, np.array([[one.reference_length for one in row] for row in counts], float)


def _sum(counts: Iterable[ErrorCounts]) -> ErrorCounts:
    parts = [(one.substitutions, one.deletions, one.insertions, one.reference_length) for one in counts]
    return ErrorCounts(*(sum(column) for column in zip(*parts, strict=True)))
