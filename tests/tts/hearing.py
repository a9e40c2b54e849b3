"""A recogniser that hears what it is told."""

from __future__ import annotations

import numpy as np

from speech.transcript import Transcript, Word


class Hearing:
    """Says of each word that it lasts a tenth of a second, from half a second on."""

    def __init__(self, text: str = "") -> None:
        self.text = text

    def transcribe(self, source: np.ndarray, *, language: str) -> Transcript:
        return Transcript(self.text, language, 1.0, "asr", len(source) / 16000, ())

    def align(self, source: np.ndarray, text: str, *, language: str) -> Transcript:
        words = [Word(word.lower(), n / 5 + 0.5, n / 5 + 0.6, 1.0, language) for n, word in enumerate(text.split())]
        return Transcript(text, language, 1.0, "asr", len(source) / 16000, tuple(words))
