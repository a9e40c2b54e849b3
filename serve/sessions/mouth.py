"""What all sessions of a server answer with."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from serve.config import ServeConfig
from serve.engine.speaking_turns import SpeakingTurns
from serve.telemetry import Telemetry
from speech.dialogue.answers.answerer import Answerer
from speech.dialogue.answers.echo import EchoAnswerer
from speech.dialogue.turns import Backchannel, EndOfTurn
from speech.speaker import Speaker

NO_ANSWERS = "this server does not answer; it is started with --voice-model and --answers for that"
"""What clients are told where there is none."""


@dataclass(frozen=True, slots=True)
class Mouth:
    """Answers, and the voice that says them."""

    answerer: Answerer
    speaker: Speaker
    turns: SpeakingTurns
    """Of texts that are said."""
    pool: ThreadPoolExecutor
    """Its threads wait for answers."""
    telemetry: Telemetry
    end_of_turn: EndOfTurn
    backchannel: Backchannel
    instructions: str = ""
    """What the answering model is told if a client tells it nothing."""


def open_mouth(
    config: ServeConfig,
    speaker: Speaker | None,
    turns: SpeakingTurns,
    pool: ThreadPoolExecutor,
    telemetry: Telemetry,
) -> Mouth | None:
    """What a server answers with; None: it does not.

    Raises:
        ConfigError, FileError, DataError: if there are no such answers.
    """
    if not config.answers or speaker is None:
        return None
    answerer = EchoAnswerer()
    return Mouth(
        answerer,
        speaker,
        turns,
        pool,
        telemetry,
        lambda text, language: 0.5,
        lambda text, language: text.lower().strip(" .") in ("mhm", "yeah"),
        config.answer_instructions,
    )
