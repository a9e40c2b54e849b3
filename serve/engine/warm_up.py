"""The first audio a model reads takes much longer than the next: code is compiled or loaded, memory is allocated."""

from __future__ import annotations

from importlib.resources import files

from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio
from speech.recognizer import Recognizer
from speech.stream.engine import EngineConfig

_CLIP = files("speech") / "assets" / "clips" / "ast_en_priv-callpending.ogg"
_READ_S = 2.0


def warm_up(recognizer: Recognizer, config: EngineConfig) -> None:
    """Read two seconds of a shipped clip as a file and as a live session.

    numba compiles each function at its first call, which takes up to a minute for all of them, and keeps the result on
    disk. Sessions that wait for the compiler fall behind until the server ends them as overloaded.

    Args:
        recognizer: of the server.
        config: of its live engine.
    """
    samples = load_audio(str(_CLIP))[: round(_READ_S * SAMPLE_RATE)]
    recognizer.transcribe(samples)
    session = recognizer.engine(config).open()
    session.accept(samples)
    session.finish()
