"""Word, character and mixed error rates."""

from __future__ import annotations

from speech.metrics.edit.alignment import ErrorCounts, count_errors
from speech.text.languages import resolve
from speech.text.normalize import normalize_pair, scored_texts
from speech.text.units import Form, form_of, units


def word_errors(reference: str, hypothesis: str, language: str) -> ErrorCounts:
    """Word errors after normalisation; character errors where `language` (ISO 639-3) writes no spaces."""
    one, other = normalize_pair(reference, hypothesis, language)
    return count_errors(one.split(), other.split()) if resolve(language).spaces else count_errors(one, other)


def character_errors(reference: str, hypothesis: str, language: str) -> ErrorCounts:
    """Character errors after normalisation, spaces not counted."""
    one, other = normalize_pair(reference, hypothesis, language)
    return count_errors(one.replace(" ", ""), other.replace(" ", ""))


def form_errors(reference: str, hypothesis: str, form: Form = Form.auto, language: str | None = None) -> ErrorCounts:
    """Errors after normalisation of a text in any mixture of languages.

    Args:
        language: ISO 639-3, for `Form.paper`, and for case; None if it is not known.
    """
    one, other = scored_texts(reference, hypothesis, (language,) if language else ())
    chosen = form_of(form, one, language)
    return count_errors(units(one, chosen), units(other, chosen))
