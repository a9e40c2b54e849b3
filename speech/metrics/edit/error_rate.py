"""What error rates count, in one place: the rule of WER, and both sides of a comparison aligned once for all of them.

WER counts words, which is what stands between spaces. Languages that are written without spaces (`Language.spaces`)
have none: there it counts characters, as published tables of Mandarin, Japanese or Thai do.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from speech.metrics.edit.alignment import EditAlignment, ErrorCounts, align, count_errors, count_other_units
from speech.text.languages import resolve
from speech.text.normalize import scored_texts
from speech.text.units import Form, is_mixed, units

WER_VERSION = "2"
"""Of `word_form`; figures of two versions are not comparable. Until version 2 scores of code-switched speech split all
languages at spaces."""
_SHORT = 32
"""Letters up to which a unit is shared."""


def word_form(languages: Sequence[str]) -> Form:
    """What WER counts in an utterance.

    Words where all of its languages write spaces, characters where none does. Where languages of both kinds are spoken,
    and where none is known, each part is counted in its way: words, and single characters of scripts without spaces.

    Args:
        languages: codes or names of all that is spoken; () where they are not known.

    Raises:
        LanguageError: for an unknown language.
    """
    return _word_form(tuple(languages))


@lru_cache(1 << 12)
def _word_form(languages: tuple[str, ...]) -> Form:
    spaces = {resolve(language).spaces for language in languages}
    if len(spaces) != 1:
        return Form.mer
    return Form.wer if spaces.pop() else Form.cer


class TextPair:
    """A reference and a hypothesis, normalised. Each kind of unit is aligned once, when it is first asked for; kinds
    that are the same in these texts share an alignment.

    Args:
        languages: ISO 639-3, of all that is spoken; () where they are not known.
    """

    __slots__ = ("_characters", "_languages", "_mixed", "_words", "hypothesis", "reference")

    def __init__(self, reference: str, hypothesis: str, languages: Sequence[str] = ()) -> None:
        self.reference, self.hypothesis = scored_texts(reference, hypothesis, languages)
        self._languages = languages
        self._mixed: EditAlignment | None = None
        self._words: ErrorCounts | None = None
        self._characters: ErrorCounts | None = None

    @property
    def mixed(self) -> EditAlignment:
        """Of mixed units: words, and single characters of scripts without spaces."""
        if self._mixed is None:
            sides = (self.reference, self.hypothesis)
            self._mixed = align(*([_shared(unit) for unit in units(side, Form.mer)] for side in sides))
        return self._mixed

    @property
    def word_errors(self) -> ErrorCounts:
        """What WER counts: see `word_form`."""
        return self.errors(word_form(self._languages))

    def errors(self, form: Form) -> ErrorCounts:
        """Edits of the units of a form.

        Args:
            form: `wer`, `cer` or `mer`.

        Raises:
            ValueError: for a form that depends on the reference; `form_of` says what it is.
        """
        match form:
            case Form.mer:
                return self.mixed.counts
            case Form.wer:
                return self._errors_of_words()
            case Form.cer:
                return self._errors_of_characters()
        raise ValueError(f"errors of form {form.value!r}, expected wer, cer or mer")

    def _errors_of_words(self) -> ErrorCounts:
        if self._words is None:
            sides = (self.reference, self.hypothesis)
            if any(map(is_mixed, sides)):
                self._words = count_errors(*(units(side, Form.wer) for side in sides))
            else:
                self._words = self.mixed.counts
        return self._words

    def _errors_of_characters(self) -> ErrorCounts:
        if self._characters is None:
            one, other = self.reference.replace(" ", ""), self.hypothesis.replace(" ", "")
            if self._mixed is None:
                self._characters = count_errors(one, other)
            else:
                self._characters = count_other_units(self._mixed, one, other)
        return self._characters


class TextErrors(NamedTuple):
    """Of one utterance or of many."""

    words: ErrorCounts
    """What WER counts: see `word_form`."""
    characters: ErrorCounts
    """Spaces not counted."""


def text_errors(reference: str, hypothesis: str, languages: Sequence[str]) -> TextErrors:
    """Errors of WER and of CER after normalisation.

    Args:
        languages: ISO 639-3, of all that is spoken.
    """
    texts = TextPair(reference, hypothesis, languages)
    return TextErrors(texts.word_errors, texts.errors(Form.cer))


def word_errors(reference: str, hypothesis: str, language: str) -> ErrorCounts:
    """Word errors after normalisation; character errors where `language` (code or name) writes no spaces."""
    return TextPair(reference, hypothesis, (resolve(language).code,)).word_errors


def character_errors(reference: str, hypothesis: str, language: str) -> ErrorCounts:
    """Character errors after normalisation, spaces not counted."""
    return TextPair(reference, hypothesis, (resolve(language).code,)).errors(Form.cer)


def _shared(unit: str) -> str:
    """The same unit of other utterances, so that a corpus keeps it once. Not `sys.intern`: that keeps for ever whatever
    texts a server is sent."""
    return _recent(unit) if len(unit) <= _SHORT else unit


@lru_cache(maxsize=1 << 16)
def _recent(unit: str) -> str:
    return unit
