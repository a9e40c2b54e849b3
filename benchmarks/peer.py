"""The peer: Whisper-base through faster-whisper, int8, beam 5, which pads every clip to 30 s itself.

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

# Languages that Whisper lacks are missing here.
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
    """Output of a system for a clip."""

    text: str
    language: str
    """Given or identified language, ISO 639-3; Whisper's own code if it is unknown."""
    spent: Spent


class Peer:
    """The loaded peer model.

    Args:
        folder: CTranslate2 conversion of the model.
        beam: beam size; 1 is greedy.
        threads: number of CPU threads.
        compute_type: number format, as CTranslate2 names it.
    """

    def __init__(self, folder: Path, *, beam: int = 5, threads: int = 1, compute_type: str = "int8") -> None:
        from faster_whisper import WhisperModel

        self._whisper = WhisperModel(str(folder), device="cpu", compute_type=compute_type, cpu_threads=threads)
        self._options: dict[str, Any] = {"beam_size": beam, "condition_on_previous_text": False}
        self.name = f"Whisper-base, faster-whisper, {compute_type}, " + (f"beam {beam}" if beam > 1 else "greedy")

    def transcribe(self, samples: np.ndarray, language: str | None = None, task: Task = "transcribe") -> Said:
        """Transcribe or translate a clip.

        Args:
            samples: `(n,)` float32 at 16 kHz.
            language: ISO 639-3, a key of `CODES`; None: the peer identifies it.
            task: a transcript, or a translation into English.
        """
        code = None if language is None else CODES[language]

        def heard() -> tuple[str, str]:
            segments, about = self._whisper.transcribe(samples, language=code, task=task, **self._options)
            return " ".join(segment.text.strip() for segment in segments), about.language

        (text, found), spent = timed(heard)
        return Said(text, iso(found), spent)


def iso(code: str) -> str:
    """ISO 639-3 for a Whisper language code; unknown codes are returned unchanged."""
    try:
        return resolve(code).code
    except LanguageError:
        return code
