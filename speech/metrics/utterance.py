"""Scoring of one utterance.

Words are aligned once, in mixed units, and characters once if those units differ; all counts use these two alignments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from speech.errors import DataError
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
from speech.metrics.edit.alignment import EditAlignment, ErrorCounts
from speech.metrics.edit.error_rate import TextPair
from speech.text.normalize import scored_text
from speech.text.units import UnitKind, units
from speech.text.word_language import word_languages

Known = tuple[tuple[str, str | None], ...]
"""Words with their languages, as given by a file."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """One utterance to be scored: reference, hypothesis, and the known languages and times."""

    reference: str
    hypothesis: str
    languages: tuple[str, ...] = ()
    """ISO 639-3 codes, the main language first; () if unknown."""
    id: str = ""
    reference_words: Known = ()
    hypothesis_words: Known = ()
    points: tuple[int, ...] | None = None
    """Indices in `reference_words` of the points of interest; None: the words outside the matrix language."""
    emitted_s: tuple[float | None, ...] = ()
    """Emission time of each of `hypothesis_words`, from the start of the utterance; () if unknown."""
    duration_s: float | None = None
    """Duration of the speech."""
    recording_end_s: float | None = None
    """Of a segment of a recording that was heard as a whole: where the recording ends, from the segment's start."""


@dataclass(frozen=True, slots=True)
class UtteranceScore:
    """Error counts of one utterance."""

    id: str
    alignment: EditAlignment
    """Alignment of mixed units: words, and single characters of scripts without spaces."""
    languages: tuple[str | None, ...]
    """Language of each reference unit."""
    heard: tuple[str | None, ...]
    """Language of each hypothesis unit."""
    words: ErrorCounts
    """Errors that WER counts, in words or characters: see `speech.metrics.edit.error_rate.wer_unit`."""
    characters: ErrorCounts
    mixed: ErrorCounts
    points: PointErrors
    switches: ErrorCounts
    attributed: LanguageErrors
    mixing: float
    """Code-mixing index of the reference."""


def score_utterance(pairing: Pairing) -> UtteranceScore:
    """Compute all counts of one utterance.

    Words without a given language get one that is guessed from their letters.

    Raises:
        DataError: if the given words do not match the text.
    """
    texts = TextPair(pairing.reference, pairing.hypothesis, pairing.languages)
    mixed = texts.mixed
    languages = _languages(mixed.reference, pairing.reference, pairing.reference_words, pairing)
    heard = _languages(mixed.hypothesis, pairing.hypothesis, pairing.hypothesis_words, pairing)
    return UtteranceScore(
        pairing.id,
        mixed,
        languages,
        heard,
        texts.word_errors,
        texts.errors(UnitKind.cer),
        mixed.counts,
        point_errors(mixed, points_of_interest(pairing, languages)),
        switch_errors(mixed, languages),
        language_errors(mixed, languages, heard),
        code_mixing_index(languages),
    )


def points_of_interest(pairing: Pairing, languages: Sequence[str | None]) -> list[int]:
    """Indices of the mixed reference units that are points of interest.

    Args:
        languages: languages of the reference units.
    """
    if pairing.points is None:
        among = pairing.languages
        matrix = among[0] if len(among) > 1 else matrix_language(languages)
        return embedded_points(languages, matrix) if matrix is not None else []
    found: list[int] = []
    wanted, place = set(pairing.points), 0
    for number, (word, _) in enumerate(pairing.reference_words):
        length = len(_word_units(word, pairing.languages))
        found += range(place, place + length) if number in wanted else ()
        place += length
    return found


@lru_cache(1 << 16)
def _word_units(word: str, languages: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(units(scored_text(word, languages), UnitKind.mer))


def _languages(found: Sequence[str], text: str, known: Known, pairing: Pairing) -> tuple[str | None, ...]:
    """Language of each unit: that of its word, otherwise guessed from its letters.

    Args:
        found: scored units of `text`.
    """
    among = pairing.languages
    guessed = tuple(word_languages(found, among)) if len(among) > 1 else (next(iter(among), None),) * len(found)
    if not known:
        return guessed
    parts = [(unit, language) for word, language in known for unit in _word_units(word, among)]
    if [unit for unit, _ in parts] != units(scored_text(text, among), UnitKind.mer):
        raise DataError("its words are not those of its text", where=pairing.id or None)
    return tuple(language or other for (_, language), other in zip(parts, guessed, strict=True))
