"""The peer: Whisper-base through faster-whisper, int8, beam 5, every clip padded to 30 s as it does by itself.

A CTranslate2 conversion of openai/whisper-base is a directory with `model.bin`, `config.json` and `tokenizer.json`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from timing import Spent, timed

from speech.errors import LanguageError
from speech.text.languages import resolve

# Languages that Whisper does not know have no code here.
CODES = {
    "eng": "en", "deu": "de", "fra": "fr", "spa": "es", "ita": "it", "rus": "ru", "ron": "ro", "cat": "ca",
    "bel": "be", "bul": "bg", "ell": "el", "cmn": "zh", "por": "pt", "dan": "da", "nld": "nl", "slv": "sl",
    "tur": "tr", "fin": "fi", "swe": "sv", "hin": "hi", "ara": "ar", "eus": "eu", "lit": "lt", "nno": "nn",
    "slk": "sk", "pol": "pl", "heb": "he", "hun": "hu", "mal": "ml", "ces": "cs", "bre": "br", "kor": "ko",
    "jpn": "ja",
}  # fmt: skip

Task = Literal["transcribe", "translate"]


@dataclass(frozen=True, slots=True)
class Said:
    """What a system wrote of a clip."""

    text: str
    language: str
    """ISO 639-3, that it was told or has found; Whisper's own code where nothing else is known of it."""
    spent: Spent


class Peer:
    """A loaded peer.

    Args:
        folder: CTranslate2 conversion.
        beam: hypotheses; 1 is greedy.
        threads: that compute.
        compute_type: in which numbers.
    """

    def __init__(self, folder: Path, *, beam: int = 5, threads: int = 1, compute_type: str = "int8") -> None:
        from faster_whisper import WhisperModel

        self._whisper = WhisperModel(str(folder), device="cpu", compute_type=compute_type, cpu_threads=threads)
        self._options: dict[str, Any] = {"beam_size": beam, "condition_on_previous_text": False}
        self.name = f"Whisper-base, faster-whisper, {compute_type}, " + (f"beam {beam}" if beam > 1 else "greedy")

    def transcribe(self, samples: np.ndarray, language: str | None = None, task: Task = "transcribe") -> Said:
        """The text of a clip.

        Args:
            samples: `(n,)` float32 at 16 kHz.
            language: ISO 639-3, a key of `CODES`; None: the peer finds it.
            task: a transcript, or a translation into English.
        """
        code = None if language is None else CODES[language]

        def heard() -> tuple[str, str]:
            segments, about = self._whisper.transcribe(samples, language=code, task=task, **self._options)
            return " ".join(segment.text.strip() for segment in segments), about.language

        (text, found), spent = timed(heard)
        return Said(text, iso(found), spent)


def iso(code: str) -> str:
    """ISO 639-3 of a code of Whisper's, as far as it is known."""
    try:
        return resolve(code).code
    except LanguageError:
        return code
