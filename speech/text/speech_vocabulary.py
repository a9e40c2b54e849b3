"""Tokens that a speech language model reads and writes: marks, languages, symbols of texts, and frames of codes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from speech.errors import DataError, LanguageError

_BYTES = 256


class TextUnit(StrEnum):
    """What a text is cut into."""

    bytes = "bytes"
    """Bytes of UTF-8: any text can be said, and how letters sound is learned."""
    symbols = "symbols"
    """Characters of an inventory, such as those of phonemes."""


class TokenLayout(NamedTuple):
    """Where the tokens that a model writes are among all tokens."""

    size: int
    """Number of all tokens."""
    first_frame: int
    """The first token of a frame."""
    frames: int
    """Number of them: one, or one for each code of the first codebook."""
    end: int
    """Token behind the last frame."""


@dataclass(frozen=True, slots=True)
class SpeechVocabulary:
    """Tokens in this order: `<text>`, `<speech>`, `<end>`, languages, bytes or symbols, frames.

    An utterance is `<text> LANGUAGE symbols <speech> frames <end>`, without LANGUAGE if there are none.

    Args:
        unit: what texts are cut into.
        languages: ISO 639-3 codes; empty: texts have no language.
        symbols: characters, in order; empty with `TextUnit.bytes`.
        frames: number of frame tokens, see `TokenLayout`.
    """

    unit: TextUnit
    languages: tuple[str, ...]
    symbols: tuple[str, ...]
    frames: int

    @classmethod
    def of(cls, unit: TextUnit, languages: Iterable[str], texts: Iterable[str], frames: int) -> SpeechVocabulary:
        """A vocabulary of `languages`, and of the characters of `texts` if they are needed."""
        symbols = sorted({char for text in texts for char in text}) if unit == TextUnit.symbols else []
        return cls(unit, tuple(sorted(set(languages))), tuple(symbols), frames)

    @property
    def text(self) -> int:
        """Token before a text."""
        return 0

    @property
    def speech(self) -> int:
        """Token before frames."""
        return 1

    @property
    def end(self) -> int:
        """Token behind frames."""
        return 2

    @property
    def layout(self) -> TokenLayout:
        """What a model has to know."""
        first = self._first_symbol + (_BYTES if self.unit == TextUnit.bytes else len(self.symbols))
        return TokenLayout(first + self.frames, first, self.frames, self.end)

    @property
    def _first_symbol(self) -> int:
        return 3 + len(self.languages)

    def encode(self, text: str, language: str = "") -> list[int]:
        """`<text> LANGUAGE symbols <speech>`.

        Raises:
            DataError: if the text has characters that the inventory lacks.
            LanguageError: if the model does not know the language.
        """
        token = self.language_token(language)
        head = [self.text] if token is None else [self.text, token]
        return [*head, *self.symbol_tokens(text), self.speech]

    def language_token(self, language: str) -> int | None:
        """Token of a language; None if texts have none.

        Raises:
            LanguageError: if the model does not know the language.
        """
        if not self.languages:
            return None
        if language not in self.languages:
            known = ", ".join(self.languages)
            raise LanguageError(f"the voice does not speak {language!r}", fix=f"It speaks: {known}.")
        return 3 + self.languages.index(language)

    def symbol_tokens(self, text: str) -> list[int]:
        """Tokens of a text's bytes or symbols.

        Raises:
            DataError: if the text has characters that the inventory lacks.
        """
        return [self._first_symbol + number for number in self._numbers(text)]

    def _numbers(self, text: str) -> list[int]:
        if self.unit == TextUnit.bytes:
            return list(text.encode("utf-8"))
        index = {symbol: number for number, symbol in enumerate(self.symbols)}
        unknown = sorted({char for char in text if char not in index})
        if unknown:
            named = " ".join(f"{char!r} (U+{ord(char):04X})" for char in unknown[:8])
            raise DataError(f"the voice has no symbol for {named}", fix="Leave it out, or write it otherwise.")
        return [index[char] for char in text]
