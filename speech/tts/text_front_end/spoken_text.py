"""Texts in words as they are spoken, to compare what was said with what was heard."""

from __future__ import annotations

from speech.errors import LanguageError
from speech.tts.text_front_end.normalise import normalise

SIGNATURE = "text:spoken"
"""Of figures whose texts are compared as they are spoken."""


def spoken_text(text: str, language: str) -> str:
    """A text in the words that are spoken: "$5" and "five dollars" are equal. What the front end cannot say stays as it
    is written.

    Args:
        language: a name that `speech.text.languages.resolve` knows.

    Raises:
        ConfigError: if num2words or Babel are needed and missing.
    """
    try:
        return normalise(text, language).text
    except LanguageError:
        return text
