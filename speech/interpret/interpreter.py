"""Speaks the translation of a live session: what is written goes in, what is to be said and heard comes out.

    interpreter = Interpreter(settings, "eng", sample_rate=24_000)
    interpreter.hear(events_of_a_live_session, now)
    while (utterance := interpreter.take(now)) is not None:
        for packet in speaker.stream([utterance.text], options_at(utterance.rate)):
            play(interpreter.spoken(packet, now))
        play(interpreter.ended(now))

A sentence is said as soon as it has been written, or a clause of it, in order, and nothing is left out. The listener
plays what comes at once, one behind the other. Our voice speaks as fast as the speaker does, up to a fifth faster where
it has fallen behind, and pauses where they do if that makes it no later.

Pure: no sockets, threads or clock; times `now` are seconds of any clock that goes forward.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from speech.events import Event, TranscriptEvent, TranslationEvent
from speech.interpret.clauses import Clauses, source_span, written
from speech.interpret.pace import SpeakerPace, carried_pause, catch_up
from speech.interpret.settings import InterpretSettings
from speech.tts.speech_stream import FASTEST, SLOWEST, SaidWord, SpeechPacket
from speech.tts.trimmed_edges import TrimmedEdges

_SENTENCE_S, _CLAUSE_S = 0.3, 0.08
"""Silence that stays behind a sentence and behind a clause."""


@dataclass(frozen=True, slots=True)
class DueUtterance:
    """A text that is to be said now."""

    number: int
    """From 0."""
    text: str
    rate: float
    """For `SpeakingOptions`."""
    pause_s: float
    """Silence before it, where the speaker paused; what goes by while it is made is left out."""
    source: tuple[float, float]
    """Seconds of the speech that it translates."""
    written_s: float
    """When it was written, on the clock of `now`."""
    behind_s: float
    """Seconds from when it was written to when it will be heard, if speech takes no time to be made."""


@dataclass(frozen=True, slots=True)
class TranslatedSound:
    """The next samples for the listener."""

    utterance: DueUtterance
    samples: np.ndarray
    """`(n,)` float32."""
    words: tuple[SaidWord, ...]
    """Those whose times have become known; times count from the beginning of all that our voice has said."""
    start_s: float
    """Where the samples begin in that."""
    heard_s: float
    """When the first of them is heard, on the clock of `now`."""


class Interpreter:
    """See the module's docstring.

    Args:
        settings: how it is said.
        target: ISO 639-3 code of the language that is said; translations into others are left out.
        sample_rate: of our voice, in Hz.
    """

    def __init__(self, settings: InterpretSettings, target: str, sample_rate: int) -> None:
        self._settings, self._target, self._rate = settings, target, sample_rate
        self._clauses, self._pace = Clauses(settings), SpeakerPace()
        self._written: dict[str, tuple[int, int]] = {}
        """By language: the last segment, and how many words of it have been written."""
        self._utterance: DueUtterance | None = None
        self._edges = TrimmedEdges(sample_rate)
        self._count = 0
        self._sent = 0
        """Samples that have been given to the listener."""
        self._shift_s: float | None = None
        """From times of the utterance to those of all that has been said; None: nothing of it is audible yet."""
        self._waiting: list[SaidWord] = []
        """Its words until then."""
        self._plays_until_s: float | None = None
        """When the listener will have heard all; None: nothing has been said."""
        self._before: tuple[tuple[float, float], float] | None = None
        """Source of the last utterance, and when it is due."""

    def hear(self, events: Sequence[Event], now: float) -> None:
        """Take events of the live session, in order."""
        for event in events:
            if isinstance(event, TranslationEvent):
                self._written[event.target] = event.segment, len(written(event))
                if event.target == self._target:
                    self._clauses.hear(event, now)
            elif isinstance(event, TranscriptEvent):
                self._pace.hear(event.words, event.language, is_final=event.is_final)

    def finish(self, now: float) -> None:
        """No more text will come."""
        self._clauses.flush(now)

    def change(self, settings: InterpretSettings, target: str) -> None:
        """Say what follows otherwise, from the next utterance on. In another language it is what is written from now
        on: what has not been said of the one before is left out."""
        self._settings = self._clauses.settings = settings
        if target != self._target:
            self._target = target
            self._clauses, self._before = Clauses(settings, *self._written.get(target, (-1, 0))), None

    def delay(self, by_s: float) -> None:
        """What the listener has not heard yet is heard so much later."""
        if self._plays_until_s is not None:
            self._plays_until_s += by_s
        if self._before is not None:
            source, due_s = self._before
            self._before = source, due_s + by_s

    @property
    def idle(self) -> bool:
        """Whether there is nothing to say, but for words that wait for the end of their clause."""
        return self._utterance is None and not self._clauses

    def behind_s(self, now: float) -> float:
        """Seconds of our voice that the listener has not heard yet."""
        return 0.0 if self._plays_until_s is None else max(self._plays_until_s - now, 0.0)

    def due_s(self, now: float) -> float | None:
        """When `take` may have something, if nothing else happens; None: not before."""
        if self._utterance is not None:
            return None
        heard_s = now + self.behind_s(now)
        if self._clauses:
            return max(now, heard_s - self._settings.ahead_s)
        patient_s = self._clauses.waits_until_s
        return None if patient_s is None else max(patient_s, heard_s)

    def take(self, now: float) -> DueUtterance | None:
        """What is to be said now; None: nothing yet. Take its sound with `spoken` and `ended` before the next."""
        due_s = self.due_s(now)
        if due_s is None or due_s > now:
            return None
        if not self._clauses:
            self._clauses.cut()
        clause = self._clauses.take()
        source = source_span(clause.words)
        behind_s = now + self.behind_s(now) - clause.written_s
        rate = self._settings.rate * catch_up(behind_s, self._settings)
        if self._settings.carry_rate:
            rate *= self._pace.relative
        rate = min(max(rate, SLOWEST), FASTEST)
        begins_s = now + self.behind_s(now)
        pause_s = self._pause_s(source, begins_s)
        self._before = source, begins_s + pause_s
        tail_s = _SENTENCE_S if clause.ends_sentence else _CLAUSE_S
        self._edges = TrimmedEdges(self._rate, tail_s=tail_s * (0.5 if behind_s > self._settings.late_s else 1.0))
        self._shift_s = None
        self._utterance = DueUtterance(self._count, clause.text, rate, pause_s, source, clause.written_s, behind_s)
        self._count += 1
        return self._utterance

    def spoken(self, packet: SpeechPacket, now: float) -> TranslatedSound:
        """Take speech of the utterance; what the listener gets now."""
        return self._sound(self._edges.push(packet.samples), packet.words, now)

    def ended(self, now: float) -> TranslatedSound:
        """The utterance has been said; what the listener gets of it last."""
        sound = self._sound(self._edges.end(), (), now)
        self._utterance, self._waiting = None, []
        return sound

    def _pause_s(self, source: tuple[float, float], begins_s: float) -> float:
        """The pause of the speaker before an utterance, as far as it makes ours no later than the one before."""
        if not self._settings.carry_pauses or self._before is None:
            return 0.0
        (begin_s, end_s), heard_s = self._before
        spare_s = (source[0] - begin_s) - (begins_s - heard_s)
        return carried_pause(source[0] - end_s, spare_s, self._settings)

    def _sound(self, samples: np.ndarray, words: Sequence[SaidWord], now: float) -> TranslatedSound:
        utterance = self._utterance
        assert utterance is not None
        start, heard_s = self._sent, max(now, self._plays_until_s or now)
        self._waiting += words
        if len(samples):
            if self._shift_s is None:
                silence = self._silence(heard_s)
                self._shift_s = (start + len(silence) - self._edges.dropped) / self._rate
                samples = np.concatenate([silence, samples])
            self._sent += len(samples)
            self._plays_until_s = heard_s + len(samples) / self._rate
        return TranslatedSound(utterance, samples, self._timed(), start / self._rate, heard_s)

    def _timed(self) -> tuple[SaidWord, ...]:
        """Words whose times have become known."""
        if self._shift_s is None:
            return ()
        known, self._waiting, by_s = self._waiting, [], self._shift_s
        return tuple(replace(word, start_s=word.start_s + by_s, end_s=word.end_s + by_s) for word in known)

    def _silence(self, heard_s: float) -> np.ndarray:
        """What is left of the pause before an utterance, whose sound would be heard at `heard_s`."""
        due_s = heard_s if self._before is None else self._before[1]
        return np.zeros(round(max(due_s - heard_s, 0.0) * self._rate), np.float32)
