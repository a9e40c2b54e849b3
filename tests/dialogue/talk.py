"""A dialogue on a clock of its own: somebody speaks, and replies are said by a voice that takes a given time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from speech.dialogue.actions import Action, Ask, Drop, Say, Sound
from speech.dialogue.answers.answerer import AnswerPart, TextPiece
from speech.dialogue.loop import Dialogue
from speech.dialogue.settings import DialogueSettings
from speech.dialogue.turns import EndJudge, TurnRules
from speech.events import EndpointEvent, Event, SpeechEvent, TranscriptEvent
from speech.transcript import Word
from speech.tts.speech_stream import SaidWord, SpeechPacket

RATE = 1000
WORD_S = 0.3
"""How long our voice takes for a word."""
STEP_S = 0.02


def transcript(text: str, *, final: bool, segment: int = 0, reason: str | None = None) -> TranscriptEvent:
    words = tuple(Word(one, 0.0, 0.1, 0.9, "eng") for one in text.split())
    return TranscriptEvent(
        segment=segment, revision=0, is_final=final, text=text, stable=0, words=words, start_s=0.0, end_s=0.1,
        audio_s=0.1, reason=reason,
    )  # fmt: skip


def endpoint(speech_end_s: float, reason: str = "silence") -> EndpointEvent:
    return EndpointEvent(at_s=speech_end_s, speech_end_s=speech_end_s, decided_s=speech_end_s, reason=reason)


def is_mhm(text: str, language: str | None, confidence: float, seconds: float) -> bool:
    return all(word.lower().strip(".") in ("mhm", "yeah") for word in text.split())


class Talk:
    """Audio time and the clock are one: the clock begins at 100."""

    def __init__(
        self,
        answer: Callable[[str], list[AnswerPart]] = lambda said: [TextPiece(f"You said {said}")],
        judged: EndJudge | None = None,
        settings: DialogueSettings | None = None,
    ) -> None:
        self.dialogue = Dialogue(settings or DialogueSettings(), sample_rate=RATE, end_of_turn=judged, listening=is_mhm)
        self.now, self._answer = 0.0, answer
        self.actions: list[tuple[float, Action]] = []
        self._said: dict[int, tuple[float, int]] = {}

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self.now < end - 1e-9:
            self.now = round(self.now + STEP_S, 6)
            self.dialogue.tick(self.now, 100 + self.now)
            self._work()

    def hear(self, *events: Event) -> None:
        self.dialogue.hear(events, self.now, 100 + self.now)
        self._work()

    def starts(self) -> None:
        """The user starts to speak."""
        self.hear(SpeechEvent(started=True, at_s=self.now))

    def says(self, text: str, seconds: float = 1.0, *, pause_s: float = 0.26) -> None:
        """The user speaks, and then is silent for `pause_s`; the final text comes at its end."""
        self.starts()
        self.wait(seconds)
        self.stops(text, pause_s=pause_s)

    def stops(self, text: str, *, pause_s: float = 0.26) -> None:
        """The user stops speaking; what was said is `text`."""
        end_s = self.now
        self.wait(0.2)
        self.hear(SpeechEvent(started=False, at_s=end_s))
        self.wait(pause_s - 0.2)
        self.hear(endpoint(end_s), *([transcript(text, final=True)] if text else []))

    def of(self, kind: type) -> list[Action]:
        """Actions of a kind."""
        return [action for _, action in self.actions if isinstance(action, kind)]

    def when(self, kind: type) -> float:
        """When the first action of a kind came."""
        return next(at for at, action in self.actions if isinstance(action, kind))

    @property
    def sounds(self) -> np.ndarray:
        return np.concatenate([np.zeros(0), *(one.samples for one in self.of(Sound) if isinstance(one, Sound))])

    def _work(self) -> None:
        while actions := self.dialogue.drain():
            self.actions += [(self.now, action) for action in actions]
            for action in actions:
                self._carry_out(action)

    def _carry_out(self, action: Action) -> None:
        now = 100 + self.now
        if isinstance(action, Ask):
            said = [message.text for message in action.messages if message.role == "user"]
            self._said[action.reply] = 0.0, 0
            for part in self._answer(said[-1] if said else ""):
                self.dialogue.voice.answered(action.reply, part, now)
            self.dialogue.voice.answer_ended(action.reply)
        elif isinstance(action, Say):
            self._say(action, now)
        elif isinstance(action, Drop):
            self._said.pop(action.reply, None)

    def _say(self, action: Say, now: float) -> None:
        for word in action.text.split():
            begin_s, place = self._said[action.reply]
            spoken = SaidWord(word, begin_s, begin_s + WORD_S, place, place + len(word))
            self._said[action.reply] = begin_s + WORD_S, place + len(word) + 1
            samples = np.full(round(WORD_S * RATE), 0.5, np.float32)
            self.dialogue.voice.spoken(action.reply, SpeechPacket(samples, (spoken,)), now)
        if action.last:
            self.dialogue.voice.speech_ended(action.reply)


def patient(**pauses: float) -> DialogueSettings:
    """Settings with other pauses."""
    return DialogueSettings(rules=TurnRules(**pauses))
