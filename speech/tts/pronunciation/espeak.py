"""Phonemes by the program `espeak-ng`, if it is installed. It is GPL, so it is run and never linked."""

from __future__ import annotations

import shutil
import subprocess

from speech.errors import ConfigError, LanguageError, TextError
from speech.tts.pronunciation.ipa import TIE, symbols_of_ipa
from speech.tts.pronunciation.pronunciation import Pronunciation, pronounced
from speech.tts.text_front_end.spoken_form import SpokenForm

PROGRAM = "espeak-ng"
VOICES = {
    "deu": "de", "eng": "en-us", "fra": "fr", "hin": "hi", "ita": "it", "por": "pt-br", "spa": "es",
}  # fmt: skip
"""ISO 639-3 -> voice of eSpeak NG: the languages of Kokoro's alphabet, and German."""
_TIMEOUT_S = 30


class EspeakPronouncer:
    """Asks `espeak-ng` for the phonemes of words.

    Raises:
        ConfigError: if the program is not found.
    """

    def __init__(self) -> None:
        found = shutil.which(PROGRAM)
        if found is None:
            raise ConfigError(
                f"the program {PROGRAM}, which knows how words are pronounced, is not installed",
                fix=f"Install it, e.g. `apt-get install {PROGRAM}`.",
            )
        self._program = found

    def __call__(self, spoken: SpokenForm, language: str) -> Pronunciation:
        """Phonemes of words.

        Raises:
            LanguageError: if there is no voice for the language.
            TextError: if the program fails.
        """
        voice = VOICES.get(language)
        if voice is None:
            known = ", ".join(VOICES)
            raise LanguageError(f"no pronunciation is known in {language!r}", fix=f"Use one of {known}.")
        return pronounced(spoken, lambda text: symbols_of_ipa(self._ipa(text, voice), language))

    def _ipa(self, text: str, voice: str) -> str:
        command = [self._program, "-q", "--ipa", f"--tie={TIE}", "-v", voice, "--stdin"]
        try:
            ran = subprocess.run(command, input=text.encode(), capture_output=True, timeout=_TIMEOUT_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise TextError(f"{PROGRAM} cannot pronounce {text!r}: {error}") from error
        if ran.returncode != 0:
            reason = ran.stderr.decode("utf-8", "replace").strip().splitlines() or ["it failed"]
            raise TextError(f"{PROGRAM} cannot pronounce {text!r}: {reason[-1]}")
        return ran.stdout.decode("utf-8", "replace")
