"""Whether a speaker's turn is over, by voice, where a part of a stream ends."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from speech.models.turn_voice import TurnVoiceModel, load_turn_voice
from speech.recognize.parts import Part


def turn_over(part: Part) -> float | None:
    """Log-odds that the turn that ends with a part is over; None: the part does not end in a pause, or is too short.
    They depend on the samples of the part alone, so that it does not matter in which pieces these came.

    Raises:
        ModelError: if the model of the package is damaged.
    """
    if not part.quiet:
        return None
    return _shipped().log_odds(part.samples[part.keep_start :], part.speech_end - part.first_sample)


@cache
def _shipped() -> TurnVoiceModel:
    return load_turn_voice(Path(str(files("speech") / "assets" / "end_of_turn" / "voice")))
