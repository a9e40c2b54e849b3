"""Phonemes in the alphabet of Kokoro: one character each. English by hibari, other languages by eSpeak NG."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
from collections.abc import Callable
from functools import cache
from typing import Any

from speech.errors import ConfigError, DataError
from speech.tts.pronunciation.espeak import VOICES
from speech.tts.pronunciation.ipa import TIE, symbols_of_ipa
from speech.tts.pronunciation.pronunciation import Pronunciation, pronounced
from speech.tts.text_front_end.normalise import normalise
from speech.tts.text_front_end.spoken_form import SpokenForm

GROUP = "Run it as `uv run --extra tts --group teachers python recipes/tts/teacher_corpus.py ...`."
BRITISH = "b"
"""First letter of the names of British voices."""
_IPA, _TIES, _UTF8, _NO_SOUND, _NO_EXIT = 0x02, 0x80, 1, 2, 0x8000

Phonemize = Callable[[str], str]


def words_pronouncer(language: str) -> Callable[[SpokenForm], Pronunciation]:
    """Phonemes of each word, as American voices say it in English. Errors as `phonemizer`."""
    if language == "eng":
        english = _English(british=False)
        return lambda spoken: pronounced(spoken, english.words)
    espeak = _espeak_for(language)
    return lambda spoken: pronounced(spoken, espeak.words)


def phonemizer(language: str, voice: str) -> Phonemize:
    """Phonemes of texts in a language for a voice of Kokoro.

    Raises:
        ConfigError: if the package that knows them is not installed, or no voice speaks the language.
    """
    if language == "eng":
        return _English(british=voice.startswith(BRITISH))
    return _espeak_for(language)


def _espeak_for(language: str) -> _Espeak:
    if language not in VOICES:
        raise ConfigError(f"there is no voice for {language!r}", fix=f"There are {', '.join(VOICES)}.")
    return _Espeak(language)


def installed(name: str) -> Any:
    """A package of the group `teachers`.

    Raises:
        ConfigError: if it is not installed.
    """
    if importlib.util.find_spec(name) is None:
        raise ConfigError(f"the package {name} is not installed", fix=GROUP)
    return importlib.import_module(name)


class _English:
    def __init__(self, british: bool) -> None:
        installed("hibari")
        self._phonemes = importlib.import_module("hibari.g2p").G2P(british=british)

    def __call__(self, text: str) -> str:
        return self.words(normalise(text, "eng").text)

    def words(self, text: str) -> str:
        """Phonemes of words, with spaces between them."""
        return str(self._phonemes(text))


class _Espeak:
    def __init__(self, language: str) -> None:
        self._language, self._library = language, _espeak()

    def __call__(self, text: str) -> str:
        return pronounced(normalise(text, self._language), self.words).symbols

    def words(self, text: str) -> str:
        """Phonemes of words, with spaces between them."""
        if self._library.espeak_SetVoiceByName(VOICES[self._language].encode()) != 0:
            raise ConfigError(f"eSpeak NG has no voice {VOICES[self._language]}")
        place = ctypes.c_char_p(text.encode())
        found: list[str] = []
        while place.value:
            mode = _IPA | _TIES | (ord(TIE) << 8)
            part = self._library.espeak_TextToPhonemes(ctypes.byref(place), _UTF8, mode)
            if part is None:
                raise DataError(f"eSpeak NG has no phonemes for {text!r}")
            found.append(part.decode())
        return symbols_of_ipa(" ".join(found), self._language)


@cache
def _espeak() -> ctypes.CDLL:
    package = installed("espeakng_loader")
    library = ctypes.CDLL(package.get_library_path())
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    if library.espeak_Initialize(_NO_SOUND, 0, package.get_data_path().encode(), _NO_EXIT) <= 0:
        raise ConfigError("eSpeak NG does not find its data", where=package.get_data_path())
    return library
