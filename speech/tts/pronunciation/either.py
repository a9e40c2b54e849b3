"""Phonemes by a pronunciation model where it knows the language, and by the program `espeak-ng` elsewhere."""

from __future__ import annotations

from functools import cached_property

from speech.tts.pronunciation.espeak import EspeakPronouncer
from speech.tts.pronunciation.letters import LetterPronouncer
from speech.tts.pronunciation.pronunciation import Pronunciation
from speech.tts.text_front_end.spoken_form import SpokenForm


class EitherPronouncer:
    """Needs the program for other languages only.

    Args:
        letters: knows its languages.
    """

    def __init__(self, letters: LetterPronouncer) -> None:
        self._letters = letters

    def __call__(self, spoken: SpokenForm, language: str) -> Pronunciation:
        """Phonemes of words.

        Raises:
            ConfigError: if the program is needed and not installed.
            LanguageError, TextError: as `EspeakPronouncer`.
        """
        return (self._letters if language in self._letters.languages else self._espeak)(spoken, language)

    @cached_property
    def _espeak(self) -> EspeakPronouncer:
        return EspeakPronouncer()
