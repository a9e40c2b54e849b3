"""All figures of form of one system on a corpus, utterance by utterance and in sums."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from speech.errors import DataError
from speech.metrics.bootstrap import SEED, Interval, ratios
from speech.metrics.code_switching import (
    LanguageErrors,
    PointErrors,
    code_mixing_index,
    embedded_points,
    language_errors,
    matrix_language,
    point_errors,
    switch_errors,
)
from speech.metrics.edit.alignment import Alignment, ErrorCounts
from speech.metrics.edit.error_rate import WER_VERSION, TextPair
from speech.metrics.meaning.saer import Sample
from speech.text.normalize import NORMALIZER_VERSION, scored_text
from speech.text.units import Form, units
from speech.text.word_language import word_languages

Known = tuple[tuple[str, str | None], ...]
"""Words with their languages, as a file gives them."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """A reference, what was recognised, and what is known of languages."""

    sample: Sample
    reference_words: Known = ()
    hypothesis_words: Known = ()
    points: tuple[int, ...] | None = None
    """Places among `reference_words` that are of interest; None: the words that are not in the matrix language."""


@dataclass(frozen=True, slots=True)
class UtteranceScore:
    """Of one utterance."""

    id: str
    alignment: Alignment
    """Of mixed units: words, and single characters of scripts without spaces."""
    languages: tuple[str | None, ...]
    """Of the units of the reference."""
    heard: tuple[str | None, ...]
    """Of the units of the hypothesis."""
    words: ErrorCounts
    """What WER counts, which may be characters: `speech.metrics.edit.error_rate.word_form`."""
    characters: ErrorCounts
    mixed: ErrorCounts
    points: PointErrors
    switches: ErrorCounts
    attributed: LanguageErrors
    mixing: float
    """Code-mixing index of the reference."""


@dataclass(frozen=True, slots=True)
class SilenceErrors:
    """What was recognised where nothing was said, which is no rate: in utterances whose reference has no unit."""

    utterances: int = 0
    """With such a reference."""
    words: int = 0
    """Inserted there, as WER counts them."""
    characters: int = 0


@dataclass(frozen=True, slots=True)
class CorpusScore:
    """Sums over utterances, in no order."""

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
"""Name -> whose errors per unit."""


def score_utterance(pairing: Pairing) -> UtteranceScore:
    """All counts of one utterance.

    Languages of words are those that are given; where none are, those that their letters tell.

    Raises:
        DataError: if words are given that are not those of the text.
    """
    sample = pairing.sample
    texts = TextPair(sample.reference, sample.hypothesis, sample.languages)
    mixed = texts.mixed
    languages = _languages(mixed.reference, sample.reference, pairing.reference_words, sample)
    heard = _languages(mixed.hypothesis, sample.hypothesis, pairing.hypothesis_words, sample)
    return UtteranceScore(
        sample.id,
        mixed,
        languages,
        heard,
        texts.word_errors,
        texts.errors(Form.cer),
        mixed.counts,
        point_errors(mixed, points_of_interest(pairing, languages)),
        switch_errors(mixed, languages),
        language_errors(mixed, languages, heard),
        code_mixing_index(languages),
    )


def total(scores: Sequence[UtteranceScore]) -> CorpusScore:
    """Of a corpus."""
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
    """95 % of each rate that has units, by resampling utterances."""
    errors, lengths = rate_columns(scores)
    return {name: one for name, one in zip(RATES, ratios(errors, lengths, seed), strict=True) if one is not None}


def rate_columns(scores: Sequence[UtteranceScore]) -> tuple[np.ndarray, np.ndarray]:
    """Errors and units of each of `RATES`, `(utterances, rates)`."""
    counts = [[counts_of(score) for counts_of in RATES.values()] for score in scores]
    errors = np.array([[one.errors for one in row] for row in counts], float)
    return errors, np.array([[one.reference_length for one in row] for row in counts], float)


def _sum(counts: Iterable[ErrorCounts]) -> ErrorCounts:
    parts = [(one.substitutions, one.deletions, one.insertions, one.reference_length) for one in counts]
    return ErrorCounts(*(sum(column) for column in zip(*parts, strict=True)))


@lru_cache(1 << 16)
def _word_units(word: str, languages: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(units(scored_text(word, languages), Form.mer))


def _languages(found: Sequence[str], text: str, known: Known, sample: Sample) -> tuple[str | None, ...]:
    """Of units: those of the words that they are part of, otherwise what letters tell.

    Args:
        found: units of `text`, as they are scored.
    """
    among = sample.languages
    guessed = tuple(word_languages(found, among)) if len(among) > 1 else (next(iter(among), None),) * len(found)
    if not known:
        return guessed
    parts = [(unit, language) for word, language in known for unit in _word_units(word, among)]
    if [unit for unit, _ in parts] != units(scored_text(text, among), Form.mer):
        raise DataError("its words are not those of its text", where=sample.id or None)
    return tuple(language or other for (_, language), other in zip(parts, guessed, strict=True))


def points_of_interest(pairing: Pairing, languages: Sequence[str | None]) -> list[int]:
    """Places of the mixed units of the reference that PIER is about.

    Args:
        languages: of these units.
    """
    if pairing.points is None:
        among = pairing.sample.languages
        matrix = among[0] if len(among) > 1 else matrix_language(languages)
        return embedded_points(languages, matrix) if matrix is not None else []
    found: list[int] = []
    wanted, place = set(pairing.points), 0
    for number, (word, _) in enumerate(pairing.reference_words):
        length = len(_word_units(word, pairing.sample.languages))
        found += range(place, place + length) if number in wanted else ()
        place += length
    return found
