"""Word and character error rates."""

from __future__ import annotations

from speech.metrics.edit.alignment import ErrorCounts, count_errors
from speech.text.languages import resolve
from speech.text.normalize import normalize_pair


def word_errors(reference: str, hypothesis: str, language: str) -> ErrorCounts:
    """Word errors after normalisation; character errors where `language` (ISO 639-3) writes no spaces."""
    one, other = normalize_pair(reference, hypothesis, language)
    return count_errors(one.split(), other.split()) if resolve(language).spaces else count_errors(one, other)


def character_errors(reference: str, hypothesis: str, language: str) -> ErrorCounts:
    """Character errors after normalisation, spaces not counted."""
    one, other = normalize_pair(reference, hypothesis, language)
    return count_errors(one.replace(" ", ""), other.replace(" ", ""))
