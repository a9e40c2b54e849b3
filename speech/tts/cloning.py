"""What makes voices from recordings, whatever the model: what is asked for, what is heard, what a voice tells of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np

from speech.audio import SAMPLE_RATE
from speech.audio.input.files import Source, load_audio, probe
from speech.audio.input.source import name_of
from speech.errors import ConfigError, DataError
from speech.text.languages import LANGUAGES, resolve
from speech.transcript import Transcript
from speech.tts.voice_file import VoiceFile, check_name

SHORTEST_S, LONGEST_S = 3.0, 30.0
"""Length of a recording."""
MOST_CHARACTERS = 2000
"""Length of its text."""


class Listener(Protocol):
    """A recogniser, such as `speech.recognizer.Recognizer`."""

    def transcribe(self, source: np.ndarray, *, language: str) -> Transcript:
        """What is said in samples `(n,)` at 16 kHz."""

    def align(self, source: np.ndarray, text: str, *, language: str) -> Transcript:
        """When the words of a text are said in samples `(n,)` at 16 kHz."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloneRequest:
    """Which voice is to be made of a recording.

    Raises:
        ModelError: if no voice can have the name.
        LanguageError: if the language is unknown.
        ConfigError: if there is no consent.
        DataError: if the text is too long.
    """

    name: str
    """Letters, digits, `_` and `-`."""
    language: str
    """Of the recording: a name that `speech.text.languages.resolve` knows."""
    consent: str
    """Who has agreed to what."""
    text: str = ""
    """What is said in the recording; empty: the recogniser writes it."""

    def __post_init__(self) -> None:
        check_name(self.name)
        resolve(self.language)
        if not self.consent.strip():
            raise ConfigError(
                "there is no consent: who is imitated has to agree", fix="Give a text that says who agrees to what."
            )
        if len(self.text) > MOST_CHARACTERS:
            raise DataError(f"the text has {len(self.text)} characters, expected at most {MOST_CHARACTERS}")


class Cloner(Protocol):
    """Makes voices for one model."""

    def clone(self, recording: Source, wanted: CloneRequest) -> VoiceFile:
        """Make a voice.

        Args:
            recording: a file of 3 to 30 seconds; its length is checked before it is decoded.
            wanted: the request.

        Raises:
            AudioError: if the recording cannot be read, or nobody speaks in it.
            DataError: if it is too short or too long, or has other words than the text.
            LanguageError: if model or recogniser do not know the language.
            TextError: if nothing in the text can be said.
            ConfigError: if the recogniser cannot align.
            ModelError: if the codes of the codec are not those of the model.
            SpeechError: if the text does not fit the recording.
        """


def load_recording(recording: Source) -> np.ndarray:
    """The samples `(n,)` of a recording at 16 kHz.

    Raises:
        AudioError: if it cannot be read.
        DataError: if it is too short or too long.
    """
    where = name_of(recording)
    _check_length(max(probe(recording).duration_s, SHORTEST_S), where)  # some files do not tell how long they are
    heard = load_audio(recording, max_s=LONGEST_S)
    _check_length(len(heard) / SAMPLE_RATE, where)
    return heard


def text_of(heard: np.ndarray, wanted: CloneRequest, listener: Listener) -> str:
    """What is said in samples `(n,)` at 16 kHz: the text that is given, or else what the recogniser writes."""
    return wanted.text.strip() or listener.transcribe(heard, language=resolve(wanted.language).code).text


def clone_card(wanted: CloneRequest, seconds: float, made: datetime, model: str) -> str:
    """What is to be known of a voice, in Markdown.

    Args:
        wanted: the request.
        seconds: of the recording.
        made: when.
        model: SHA-256 of the weights that it is for.
    """
    code = resolve(wanted.language).code
    source = f"Cloned from a recording of {seconds:.1f} s in {LANGUAGES[code].name} ({code}) on {made:%Y-%m-%d}"
    return f"{source}, for the model {model[:12]}.\n\n## Consent\n\n{wanted.consent.strip()}\n"


def _check_length(seconds: float, where: str) -> None:
    """Raises DataError if a recording is too short or too long."""
    if not SHORTEST_S <= seconds <= LONGEST_S:
        text = f"has {seconds:.1f} s, expected {SHORTEST_S:g} to {LONGEST_S:g} s of one person's speech"
        raise DataError(text, where=where)
