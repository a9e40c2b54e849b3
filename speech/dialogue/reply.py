"""One reply while it is made and heard."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from speech.dialogue.answers.answerer import ToolCall
from speech.dialogue.history import heard_text
from speech.dialogue.playout import Playout
from speech.dialogue.stages import Stages
from speech.dialogue.turns import UserTurn
from speech.tts.speech_stream import SaidWord, SpeechPacket
from speech.tts.trimmed_edges import AUDIBLE

_BEFORE_S = 0.03
"""Silence that is kept before the first sound: the breath of a consonant is softer."""


class ReplyUnderWay:
    """An answer that is being said.

    Args:
        number: of the reply.
        turn: what it answers; None: it was asked for without a turn.
        playout: its way to the listener.
        stages: times so far.

    Attributes:
        text: of the answer so far.
        calls: functions that it calls.
        released: whether it may be heard: the turn is over.
        held: whether our voice waits.
        failed: why there is no more of it; empty: it has not failed.
    """

    def __init__(self, number: int, turn: UserTurn | None, playout: Playout, stages: Stages) -> None:
        self.number, self.turn, self.playout, self.stages = number, turn, playout, stages
        self.text, self.failed, self._trimmed = "", "", 0
        self.calls: list[ToolCall] = []
        self.released = self.held = False

    def answer(self, text: str, now: float) -> None:
        """Text of the answer has come."""
        if self.stages.token is None:
            self.stages.token = now
        self.text += text

    def spoken(self, packet: SpeechPacket, now: float) -> None:
        """Speech has been made; of the silence before its first sound, only a moment is kept."""
        samples = packet.samples
        if self.stages.sample is None:
            samples = samples[self._silence(samples) :]
            self._trimmed += len(packet.samples) - len(samples)
        if len(samples) and self.stages.sample is None:
            self.stages.sample = now
        self.playout.push(samples, [self._moved(word) for word in packet.words])

    def _silence(self, samples: np.ndarray) -> int:
        """How many samples lie before the first sound."""
        sounds = np.flatnonzero(np.abs(samples) >= AUDIBLE)
        return max(int(sounds[0]) - round(_BEFORE_S * self.playout.rate), 0) if len(sounds) else len(samples)

    def _moved(self, word: SaidWord) -> SaidWord:
        trimmed_s = self._trimmed / self.playout.rate
        start_s, end_s = max(word.start_s - trimmed_s, 0.0), max(word.end_s - trimmed_s, 0.0)
        return replace(word, start_s=start_s, end_s=end_s)

    def sound(self, now: float) -> tuple[np.ndarray, float]:
        """The samples `(n,)` that leave now, and the second at which they begin."""
        start_s = self.playout.sent_s
        samples = self.playout.take(now)
        if len(samples) and self.stages.sent is None:
            self.stages.sent = now
        return samples, start_s

    def heard(self, now: float) -> str:
        """The text that has been heard."""
        return heard_text(self.text, self.playout.heard(now))

    @property
    def sounds(self) -> bool:
        """Whether anything of it has left for the listener."""
        return self.stages.sent is not None
