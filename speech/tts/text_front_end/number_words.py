"""Whole numbers in words, by num2words."""

from __future__ import annotations

import re
from typing import Any

from speech.errors import ConfigError, LanguageError
from speech.extras import needs_extra
from speech.text.languages import resolve

MOST_DIGITS = 15
"""Numbers with more digits are said digit by digit."""
_OWN_CODES = {"kaz": "kz", "nob": "no", "nno": "no", "por": "pt_BR", "tet": "tet"}
"""Languages that num2words calls by another name than ISO 639-1."""
_DIGIT = re.compile(r"[\d(]")


def _library() -> Any:
    try:
        import num2words
    except ModuleNotFoundError as error:
        raise ConfigError("numbers in words need num2words", fix=needs_extra("tts")) from error
    return num2words


def code_of(language: str) -> str | None:
    """The name that num2words has for a language, ISO 639-3; None if it does not know the language."""
    code = _OWN_CODES.get(language) or resolve(language).alpha2
    return code if code in _library().CONVERTER_CLASSES else None


def in_words(number: int | str, language: str, kind: str = "cardinal") -> str:
    """A number in words, as num2words has it.

    Args:
        number: a whole number, or a decimal number as a string with a point.
        language: ISO 639-3.
        kind: "cardinal", "ordinal" or "year".

    Raises:
        LanguageError: if the language, or this number in it, is unknown to num2words.
    """
    code = code_of(language)
    if code is None:
        raise LanguageError(
            f"numbers cannot be said in {resolve(language).name}", where=str(number), fix="Write them as words."
        )
    try:
        words = str(_library().num2words(number, lang=code, to=kind))
    except (ArithmeticError, LookupError, NotImplementedError, TypeError, ValueError) as error:
        raise _unknown(number, language) from error
    if not words.strip() or _DIGIT.search(words):
        raise _unknown(number, language)
    return " ".join(words.split())


def _unknown(number: int | str, language: str) -> LanguageError:
    return LanguageError(
        f"this number cannot be said in {resolve(language).name}", where=str(number), fix="Write it as words."
    )
