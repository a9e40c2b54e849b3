"""What is to be spoken, in order: stretches of words in one language, and pauses."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from speech.tts.text_front_end.spoken_form import SpokenForm


class StretchEnd(StrEnum):
    """What ends with a stretch."""

    none = "none"
    """Nothing: the sentence goes on, in another language or another way."""
    sentence = "sentence"
    paragraph = "paragraph"


@dataclass(frozen=True, slots=True)
class SpokenStretch:
    """Words in one language, within one sentence."""

    spoken: SpokenForm
    """Places are those of the whole written text, with its markup if there is any."""
    language: str
    """ISO 639-3."""
    end: StretchEnd = StretchEnd.none
    rate: float = 1.0
    """Speed relative to the voice's own."""
    phonemes: str | None = None
    """Pronunciation in IPA, instead of that of the words."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence that the text asks for."""

    seconds: float
    source_start: int
    """First character of what asks for it in the written text."""
    source_end: int
    """One behind the last character."""
