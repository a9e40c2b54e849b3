"""Text translators: from the recognised text into other languages, behind any model of speech."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from speech.errors import LanguageError
from speech.text.languages import resolve
from speech.translate.toxicity import ToxicWords


class TextTranslator(Protocol):
    """Translates texts of a few sentences. It may be called from several threads."""

    @property
    def sources(self) -> tuple[str, ...]:
        """ISO 639-3 codes of the languages that it translates from."""

    @property
    def targets(self) -> tuple[str, ...]:
        """ISO 639-3 codes of the languages that it translates into."""

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        """Translate texts, each by itself: what comes of one does not depend on the others.

        Args:
            texts: in the language `source`, none of them empty.
            source: ISO 639-3 code out of `sources`.
            target: ISO 639-3 code out of `targets`.

        Raises:
            LanguageError: if it does not translate between these languages.
            TranslatorError: if a text is too long, or the translator fails.
        """

    def translate_without(self, text: str, source: str, target: str, words: ToxicWords) -> str | None:
        """Translate a text without any listed word of the target. Raises what `translate` does.

        Returns:
            The translation; None: the translator cannot leave words out, or has found no such translation.
        """


def check_source(translator: TextTranslator, source: str) -> None:
    """Raises LanguageError if a translator does not translate from a language; names those that it knows."""
    if source not in translator.sources:
        text = f"the text translator does not translate from {resolve(source).name} ({source})"
        raise LanguageError(text, fix=f"It translates from {', '.join(translator.sources)}.")


def check_pair(translator: TextTranslator, source: str, target: str) -> None:
    """Raises LanguageError if a translator does not translate between two languages; names those that it knows."""
    check_source(translator, source)
    if target not in translator.targets:
        text = f"the text translator does not translate into {resolve(target).name} ({target})"
        raise LanguageError(text, fix=f"It translates into {', '.join(translator.targets)}.")
