"""Word, character and mixed error rates."""

from __future__ import annotations

from speech.metrics.alignment import ErrorCounts, count_errors
from speech.text.normalize import normalize, plain_text, scoring_units
from speech.text.units import Form, form_of, units


def word_errors(reference: str, hypothesis: str, language: str) -> ErrorCounts:
    """Word errors after normalisation; character errors where `language` (ISO 639-3) writes no spaces."""
    return count_errors(scoring_units(reference, language), scoring_units(hypothesis, language))


def character_errors(reference: str, hypothesis: str, language: str) -> ErrorCounts:
    """Character errors after normalisation, spaces not counted."""
    one, other = (normalize(text, language).replace(" ", "") for text in (reference, hypothesis))
    return count_errors(one, other)


def form_errors(reference: str, hypothesis: str, form: Form = Form.auto, language: str | None = None) -> ErrorCounts:
    """Errors after normalisation of a text in any mixture of languages.

    Args:
        language: for `Form.paper`.
    """
    plain = plain_text(reference)
    chosen = form_of(form, plain, language)
    return count_errors(units(plain, chosen), units(plain_text(hypothesis), chosen))
