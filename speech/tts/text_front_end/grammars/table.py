"""The languages whose numbers, dates, times, money and units are said."""

from __future__ import annotations

from functools import cache

from speech.text.languages import resolve
from speech.tts.text_front_end.grammar import Grammar
from speech.tts.text_front_end.grammars.english import English
from speech.tts.text_front_end.grammars.french import French
from speech.tts.text_front_end.grammars.german import German
from speech.tts.text_front_end.grammars.italian import Italian
from speech.tts.text_front_end.grammars.portuguese import Portuguese
from speech.tts.text_front_end.grammars.spanish import Spanish

GRAMMARS: dict[str, type[Grammar]] = {
    grammar.language: grammar for grammar in (English, Spanish, French, Italian, Portuguese, German)
}


def grammar_of(language: str) -> Grammar | None:
    """The grammar of a language; None for languages of which at most plain numbers are known.

    Args:
        language: a name that `speech.text.languages.resolve` knows.

    Raises:
        LanguageError: if the name is unknown.
        ConfigError: if Babel is missing.
    """
    return _made(resolve(language).code)


@cache
def _made(code: str) -> Grammar | None:
    grammar = GRAMMARS.get(code)
    return grammar() if grammar else None
