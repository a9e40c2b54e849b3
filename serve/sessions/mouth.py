"""What all sessions of a server answer with."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from serve.engine.speaking_turns import SpeakingTurns
from serve.telemetry import Telemetry
from speech.dialogue.answers.answerer import Answerer
from speech.dialogue.backchannels import only_listens
from speech.dialogue.end_of_turn import EndOfTurn
from speech.dialogue.turns import EndJudge, Listening
from speech.errors import SpeechError
from speech.speaker import Speaker

NO_ANSWERS = "this server does not answer; it is started with --voice-model and --answers for that"
"""What clients are told where there is none."""
NO_VOICE = "this server has no voice; it is started with --voice-model for one"


@dataclass(frozen=True, slots=True)
class ServerVoice:
    """The voice that says what sessions write."""

    speaker: Speaker
    turns: SpeakingTurns
    """Of texts that are said."""
    telemetry: Telemetry

    def speaks(self, code: str) -> bool:
        """Whether it knows how words of a language (ISO 639-3) are pronounced."""
        try:
            self.speaker.check_pronunciation(code)
        except SpeechError:
            return False
        return True


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
    end_of_turn: EndJudge
    listening: Listening
    instructions: str = ""
    """What the answering model is told if a client tells it nothing."""


def open_mouth(
    answerer: Answerer | None,
    speaker: Speaker | None,
    turns: SpeakingTurns,
    pool: ThreadPoolExecutor,
    telemetry: Telemetry,
    instructions: str,
) -> Mouth | None:
    """What a server answers with; None: it does not."""
    if answerer is None or speaker is None:
        return None
    return Mouth(
        answerer,
        speaker,
        turns,
        pool,
        telemetry,
        EndOfTurn().probability,
        only_listens,
        instructions,
    )
