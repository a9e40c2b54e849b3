"""Scenes of spoken dialogue with known times, played to the dialogue loop faster than real time.

A scene is the user's audio, and our voice that answers. Audio comes in blocks of 32 ms to a live session, whose events
lead the dialogue; the clock is that of the audio. Replies are spoken beforehand by the voice model; their samples come
at once when an answer is asked for. A scene is over two seconds behind what is said over our voice, or once our voice
was interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from speech.audio import SAMPLE_RATE
from speech.dialogue.actions import Action, Ask, Continued, Held, Say, Sound, Truncated
from speech.dialogue.answers.answerer import TextPiece
from speech.dialogue.loop import Dialogue
from speech.dialogue.settings import DialogueSettings
from speech.dialogue.turns import EndJudge, Listening, turn_parts
from speech.events import Event, TranscriptEvent
from speech.speaker import Speaker
from speech.stream.engine import Engine, LiveStream
from speech.stream.options import StreamOptions
from speech.tts.speech_stream import SpeakingOptions, SpeechPacket

BLOCK = 512
_BEHIND_S = 2.0
_SOUND = 0.02
"""Share of the peak from which on a sample belongs to what is said."""


@dataclass(frozen=True, slots=True)
class SpokenReply:
    """A reply that was made beforehand."""

    text: str
    packets: tuple[SpeechPacket, ...]
    rate: int


def spoken_reply(speaker: Speaker, text: str, language: str) -> SpokenReply:
    """Have a reply said."""
    packets = tuple(speaker.stream([text], SpeakingOptions(language=language)))
    return SpokenReply(text, packets, speaker.sample_rate)


def trimmed(samples: np.ndarray) -> np.ndarray:
    """Samples `(n,)` from the first to the last that is loud enough to belong to what is said."""
    loud = np.flatnonzero(np.abs(samples) >= _SOUND * np.abs(samples).max(initial=1e-9))
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples


def silence(seconds: float) -> np.ndarray:
    """Nothing: `(n,)`."""
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


@dataclass(slots=True)
class Scene:
    """What happened. Times in seconds of the user's audio."""

    actions: list[tuple[float, Action]] = field(default_factory=list)
    over: list[TranscriptEvent] = field(default_factory=list)
    """Final texts of what was said over our voice."""

    def times(self, kind: type) -> list[float]:
        """When actions of a kind came."""
        return [at for at, action in self.actions if isinstance(action, kind)]

    def first(self, kind: type, since_s: float = 0.0) -> float | None:
        """When the first of a kind came from `since_s` on; None: it did not."""
        return next((at for at in self.times(kind) if at >= since_s), None)

    def truncated(self) -> Truncated | None:
        """How the first reply was cut; None: it was not."""
        return next((action for _, action in self.actions if isinstance(action, Truncated)), None)

    def stopped_s(self, since_s: float) -> float | None:
        """When our voice stopped for good, held or cut, from `since_s` on; None: it did not."""
        held: float | None = None
        for at, action in self.actions:
            if at < since_s:
                continue
            if isinstance(action, Held):
                held = at
            elif isinstance(action, Continued):
                held = None
            elif isinstance(action, Truncated):
                return at if held is None else held
        return None

    def missed(self) -> str:
        """Why an interruption did not end the reply."""
        if not self.times(Held):
            return "no speech was found"
        if not any(final.text for final in self.over):
            return "no words were recognised"
        return "taken for listening: " + " ".join(final.text for final in self.over)

    def silent_s(self) -> float:
        """Seconds for which our voice waited and then went on."""
        total, held = 0.0, None
        for at, action in self.actions:
            if isinstance(action, Held):
                held = at
            elif isinstance(action, Continued) and held is not None:
                total, held = total + at - held, None
        return total


class Stage:
    """Plays scenes.

    Args:
        engine: recognises.
        end_of_turn: judges turns; None: pauses alone.
        listening: judges words over our voice.
        settings: of the dialogues.
    """

    def __init__(
        self, engine: Engine, end_of_turn: EndJudge | None, listening: Listening, settings: DialogueSettings
    ) -> None:
        self._engine, self._end_of_turn, self._listening, self._settings = engine, end_of_turn, listening, settings

    def play(
        self,
        opening: np.ndarray,
        reply: SpokenReply | None,
        then: Callable[[float], np.ndarray] | None,
        language: str,
        most_s: float,
    ) -> Scene:
        """Play one scene.

        Args:
            opening: what the user says first, at 16 kHz.
            reply: our answer to it; None: nobody hears one.
            then: called once our reply has begun, with the time: what the user's audio is from then on.
            language: that may be spoken.
            most_s: length of the scene.
        """
        stream = self._stream(language)
        dialogue = self._dialogue(reply)
        scene, waiting, place, now = Scene(), opening, 0, 0.0
        while now < most_s and scene.truncated() is None:
            block = waiting[place : place + BLOCK]
            block = np.pad(block, (0, BLOCK - len(block)))
            place += BLOCK
            now += BLOCK / SAMPLE_RATE
            events = stream.accept(block)
            if scene.first(Sound) is not None:
                scene.over += [event for event in events if isinstance(event, TranscriptEvent) and event.is_final]
            dialogue.hear(events, now, now)
            self._work(dialogue, scene, reply, now)
            if then is not None and scene.first(Sound) is not None:
                waiting, place, then = then(now), 0, None
                most_s = min(most_s, now + len(waiting) / SAMPLE_RATE + _BEHIND_S)
        return scene

    def heard(self, samples: np.ndarray, language: str, most_s: float) -> list[tuple[float, list[Event]]]:
        """The events of a scene in which nobody answers, by the time at which they come."""
        stream, found = self._stream(language), []
        for number in range(round(most_s * SAMPLE_RATE / BLOCK)):
            block = samples[number * BLOCK : (number + 1) * BLOCK]
            now = (number + 1) * BLOCK / SAMPLE_RATE
            found.append((now, stream.accept(np.pad(block, (0, BLOCK - len(block))))))
        return found

    def replay(self, heard: Sequence[tuple[float, Sequence[Event]]]) -> Scene:
        """The scene of such events."""
        dialogue, scene = self._dialogue(None), Scene()
        for now, events in heard:
            dialogue.hear(events, now, now)
            self._work(dialogue, scene, None, now)
        return scene

    def _stream(self, language: str) -> LiveStream:
        rules = self._settings.rules
        parts = turn_parts(rules.sure_pause_s, rules.pause_s)
        return self._engine.open(StreamOptions(languages=(language,), endpoint=parts, hears_turns=True))

    def _dialogue(self, reply: SpokenReply | None) -> Dialogue:
        rate = reply.rate if reply is not None else SAMPLE_RATE
        return Dialogue(self._settings, sample_rate=rate, end_of_turn=self._end_of_turn, listening=self._listening)

    def _work(self, dialogue: Dialogue, scene: Scene, reply: SpokenReply | None, now: float) -> None:
        while actions := dialogue.drain():
            for action in actions:
                scene.actions.append((now, action))
                if isinstance(action, Ask) and reply is not None:
                    dialogue.voice.answered(action.reply, TextPiece(reply.text), now)
                    dialogue.voice.answer_ended(action.reply)
                elif isinstance(action, Say) and action.last and reply is not None:
                    for packet in reply.packets:
                        dialogue.voice.spoken(action.reply, packet, now)
                    dialogue.voice.speech_ended(action.reply)
