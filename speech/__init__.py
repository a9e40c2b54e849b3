"""Streaming multilingual speech recognition, translation and language identification from one CTC encoder.

>>> from speech import Recognizer
>>> recognizer = Recognizer.from_pretrained()
>>> recognizer.transcribe("talk.wav").text  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"
__all__ = [
    "ChunkSpec", "Recognizer", "Speaker", "SpeakingOptions", "SpeechError", "Transcript", "Word", "__version__",
]  # fmt: skip

TYPE_CHECKING = False  # avoids importing `typing`, which takes as long as the rest of this module
if TYPE_CHECKING:
    from typing import Any

    from speech.chunking import ChunkSpec
    from speech.errors import SpeechError
    from speech.recognizer import Recognizer
    from speech.speaker import Speaker
    from speech.transcript import Transcript, Word
    from speech.tts.speech_stream import SpeakingOptions

_HOME = {
    "ChunkSpec": "speech.chunking",
    "Recognizer": "speech.recognizer",
    "Speaker": "speech.speaker",
    "SpeakingOptions": "speech.tts.speech_stream",
    "SpeechError": "speech.errors",
    "Transcript": "speech.transcript",
    "Word": "speech.transcript",
}


def __getattr__(name: str) -> Any:
    """Import the heavy modules lazily, on first use of a name (PEP 562).

    Raises:
        AttributeError: if the package has no such name.
    """
    if name not in _HOME:
        raise AttributeError(f"module 'speech' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
