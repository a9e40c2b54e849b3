"""Definition of the error rates: what WER counts, and text pairs that are aligned once for all rates.

WER counts words between spaces. For languages written without spaces (`Language.spaces`) it counts characters, as
published tables of Mandarin, Japanese or Thai do.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from speech.metrics.edit.alignment import EditAlignment, ErrorCounts, align, count_errors, count_other_units
from speech.text.languages import resolve
from speech.text.normalize import scored_texts
from speech.text.units import UnitKind, is_mixed, units

WER_VERSION = "2"
"""Version of `wer_unit`; figures of different versions are not comparable. Version 1 split all languages of
code-switched speech at spaces."""
_SHORT = 32
"""Longest unit, in characters, that is cached."""


def wer_unit(languages: Sequence[str]) -> UnitKind:
    """The unit that WER counts in an utterance.

    Words if all of its languages write spaces, characters if none does. If both kinds are spoken, or no language is
    known, mixed units: words, and single characters of scripts without spaces.

    Args:
        languages: codes or names of all spoken languages; () if unknown.

    Raises:
        LanguageError: for an unknown language.
    """
    return _wer_unit(tuple(languages))


@lru_cache(1 << 12)
def _wer_unit(languages: tuple[str, ...]) -> UnitKind:
    spaces = {resolve(language).spaces for language in languages}
    if len(spaces) != 1:
        return UnitKind.mer
    return UnitKind.wer if spaces.pop() else UnitKind.cer


class TextPair:
    """A normalised reference and hypothesis. Each kind of unit is aligned once, on first use; kinds of units that are
    the same in these texts share an alignment.

    Args:
        languages: ISO 639-3 codes of all spoken languages; () if unknown.
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
        """Alignment of mixed units: words, and single characters of scripts without spaces."""
        if self._mixed is None:
            sides = (self.reference, self.hypothesis)
            self._mixed = align(*([_shared(unit) for unit in units(side, UnitKind.mer)] for side in sides))
        return self._mixed

    @property
    def word_errors(self) -> ErrorCounts:
        """The errors that WER counts; see `wer_unit`."""
        return self.errors(wer_unit(self._languages))

    def errors(self, kind: UnitKind) -> ErrorCounts:
        """Errors in units of a kind.

        Args:
            kind: `wer`, `cer` or `mer`.

        Raises:
            ValueError: for a kind that depends on the reference; resolve it with `resolve_unit_kind` first.
        """
        match kind:
            case UnitKind.mer:
                return self.mixed.counts
            case UnitKind.wer:
                return self._errors_of_words()
            case UnitKind.cer:
                return self._errors_of_characters()
        raise ValueError(f"errors of kind {kind.value!r}, expected wer, cer or mer")

    def _errors_of_words(self) -> ErrorCounts:
        if self._words is None:
            sides = (self.reference, self.hypothesis)
            if any(map(is_mixed, sides)):
                self._words = count_errors(*(units(side, UnitKind.wer) for side in sides))
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
    """Word and character errors of one or many utterances."""

    words: ErrorCounts
    """Errors that WER counts; see `wer_unit`."""
    characters: ErrorCounts
    """Character errors, without spaces."""


def text_errors(reference: str, hypothesis: str, languages: Sequence[str]) -> TextErrors:
    """Errors for WER and CER after normalisation.

    Args:
        languages: ISO 639-3 codes of all spoken languages.
    """
    texts = TextPair(reference, hypothesis, languages)
    return TextErrors(texts.word_errors, texts.errors(UnitKind.cer))


def _shared(unit: str) -> str:
    """An equal cached string, so that a corpus stores each unit once; unlike `sys.intern`, the cache is bounded."""
    return _recent(unit) if len(unit) <= _SHORT else unit


@lru_cache(maxsize=1 << 16)
def _recent(unit: str) -> str:
    return unit
