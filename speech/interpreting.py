"""Speech-to-speech translation of a recording, as somebody would hear it live.

    recognizer, speaker = Recognizer.from_pretrained(), Speaker.from_pretrained()
    interpretation = interpret(recognizer.engine(), speaker, samples, InterpretRequest(to="eng", languages=("fra",)))
    interpretation.samples  # the translation, in time with the recording

The recording arrives on a virtual clock as if somebody spoke it, and nobody waits for it. Computation takes no time on
that clock, or, with `computation_aware`, the time that it takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from speech.audio import SAMPLE_RATE
from speech.errors import LanguageError, TextError
from speech.interpret.interpreter import DueUtterance, Interpreter, TranslatedSound
from speech.interpret.settings import InterpretSettings
from speech.speaker import Speaker
from speech.stream.engine import Engine
from speech.stream.options import StreamOptions, TranslationOptions
from speech.tts.speech_stream import SaidWord, SpeakingOptions

_MESSAGE_S = 0.1
"""Seconds of the recording that arrive at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InterpretRequest:
    """What is wanted."""

    to: str
    """ISO 639-3 code of the language that is said."""
    languages: tuple[str, ...] = ()
    """Spoken languages, ISO 639-3 codes; empty: all of the model."""
    voice: str = ""
    """That says it; empty: the default voice of `to`."""
    translation: TranslationOptions | None = field(default_factory=lambda: TranslationOptions(append=True))
    """When it is written; None: each part when it is complete."""
    settings: InterpretSettings = field(default_factory=InterpretSettings)
    computation_aware: bool = False
    """Whether computation takes time."""


@dataclass(frozen=True, slots=True)
class SaidUtterance:
    """Something that was said."""

    utterance: DueUtterance
    start_s: float
    """When it is heard, from the beginning of the recording."""
    end_s: float
    words: tuple[SaidWord, ...]
    """Times count from the beginning of the recording."""


@dataclass(frozen=True, slots=True)
class Interpretation:
    """A recording in another language."""

    samples: np.ndarray
    """`(n,)` float32, in time with the recording; longer than it where the last words are said behind its end."""
    sample_rate: int
    utterances: tuple[SaidUtterance, ...]
    unsaid: tuple[tuple[str, str], ...] = ()
    """Texts that the voice cannot say, such as those with letters that it does not know, and why."""

    @property
    def text(self) -> str:
        """All that was said."""
        return " ".join(said.utterance.text for said in self.utterances)


def interpret(
    engine: Engine,
    speaker: Speaker,
    samples: np.ndarray,
    request: InterpretRequest,
    heard: Callable[[float], object] = lambda seconds: None,
) -> Interpretation:
    """Translate a recording and say the translation.

    Args:
        engine: recognises and translates.
        speaker: says it.
        samples: `(n,)` float32 at 16 kHz.
        request: what is wanted.
        heard: is told how many seconds have been heard.

    Raises:
        LanguageError: if the model does not translate into the language, or has no such spoken language.
        ConfigError: if there is no such voice.
    """
    talk = _Talk(engine, speaker, request)
    message = round(_MESSAGE_S * SAMPLE_RATE)
    for start in range(0, len(samples), message):
        talk.hear(samples[start : start + message])
        heard(min(start + message, len(samples)) / SAMPLE_RATE)
    talk.finish()
    return talk.interpretation()


class _Talk:
    """One recording on its virtual clock."""

    def __init__(self, engine: Engine, speaker: Speaker, request: InterpretRequest) -> None:
        options = StreamOptions(
            languages=request.languages, targets=(request.to,), translation=request.translation, interim=True
        )
        self._speaker, self._request, self._rate = speaker, request, speaker.sample_rate
        self._options(1.0)
        self._stream = engine.open(options)
        self._interpreter = Interpreter(request.settings, request.to, self._rate)
        self._now = self._received_s = 0.0
        self._pieces: list[tuple[int, np.ndarray]] = []
        self._said: list[SaidUtterance] = []
        self._unsaid: list[tuple[str, str]] = []

    def hear(self, samples: np.ndarray) -> None:
        """Take the next samples of the recording."""
        self._received_s += len(samples) / SAMPLE_RATE
        self._wait(self._received_s)
        began = time.perf_counter()
        events = self._stream.accept(samples)
        self._spend(began)
        self._interpreter.hear(events, self._now)
        self._speak()

    def finish(self) -> None:
        """The recording is over."""
        began = time.perf_counter()
        events = self._stream.finish()
        self._spend(began)
        self._interpreter.hear(events, self._now)
        self._interpreter.finish(self._now)
        self._wait(None)

    def interpretation(self) -> Interpretation:
        """What has been said."""
        length = max((at + len(samples) for at, samples in self._pieces), default=0)
        track = np.zeros(length, np.float32)
        for at, samples in self._pieces:
            track[at : at + len(samples)] = samples
        return Interpretation(track, self._rate, tuple(self._said), tuple(self._unsaid))

    def _wait(self, until_s: float | None) -> None:
        """Let time pass, and say what is due; None: until all has been said."""
        while (due_s := self._interpreter.due_s(self._now)) is not None and (until_s is None or due_s <= until_s):
            self._now = max(self._now, due_s)
            self._speak()
        self._now = max(self._now, until_s or 0.0)

    def _speak(self) -> None:
        """Say what is due."""
        while (utterance := self._interpreter.take(self._now)) is not None:
            try:
                sounds = list(self._sounds(utterance))
            except (LanguageError, TextError) as error:
                self._unsaid.append((utterance.text, str(error)))
                self._interpreter.ended(self._now)
                continue
            audible = [sound for sound in sounds if len(sound.samples)]
            self._pieces += [(round(sound.heard_s * self._rate), sound.samples) for sound in audible]
            words = tuple(_heard(word, sound) for sound in sounds for word in sound.words)
            if audible:
                end_s = audible[-1].heard_s + len(audible[-1].samples) / self._rate
                self._said.append(SaidUtterance(utterance, audible[0].heard_s, end_s, words))

    def _sounds(self, utterance: DueUtterance) -> Iterator[TranslatedSound]:
        began, now, aware = time.perf_counter(), self._now, self._request.computation_aware
        for packet in self._speaker.stream([utterance.text], self._options(utterance.rate)):
            yield self._interpreter.spoken(packet, now + (time.perf_counter() - began) * aware)
        yield self._interpreter.ended(now + (time.perf_counter() - began) * aware)

    def _options(self, rate: float) -> SpeakingOptions:
        """How the voice speaks. Raises ConfigError or LanguageError if it cannot."""
        options = SpeakingOptions(language=self._request.to, voice=self._request.voice, rate=rate)
        self._speaker.voice_of(options)
        return options

    def _spend(self, began: float) -> None:
        if self._request.computation_aware:
            self._now += time.perf_counter() - began


def _heard(word: SaidWord, sound: TranslatedSound) -> SaidWord:
    """A word with times on the clock of the listener."""
    by_s = sound.heard_s - sound.start_s
    return replace(word, start_s=word.start_s + by_s, end_s=word.end_s + by_s)
