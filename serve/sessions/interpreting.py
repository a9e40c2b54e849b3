"""Translations that one session says while the speaker goes on: tasks on the event loop around an interpreter."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from msgspec import UNSET

from serve.engine.deadlines import Playback
from serve.engine.speaking_turns import Piece
from serve.engine.spoken_pieces import spoken_pieces
from serve.protocols import wire
from serve.protocols.dialogue_messages import ReplyWord
from serve.protocols.interpreting_messages import Interpreting, TranslationAudio
from serve.sessions.mouth import NO_VOICE, ServerVoice
from serve.sessions.options import Refused
from serve.sessions.outbox import Outbox
from speech.audio.output import int16_samples
from speech.errors import LanguageError, SpeechError
from speech.events import Event, milliseconds
from speech.interpret.interpreter import DueUtterance, Interpreter, TranslatedSound
from speech.interpret.settings import InterpretSettings
from speech.stream.options import StreamOptions
from speech.text.languages import resolve
from speech.tts.speech_stream import SpeakingOptions, SpeechPacket

_log = logging.getLogger(__name__)
_LEAD_S = 2.0
"""Of our voice, what the client has at most and has not played: all of it is kept for a client that resumes."""


@dataclass(slots=True)
class _DueSound:
    """Samples that wait for their time."""

    message: TranslationAudio
    heard_s: float
    """When the client plays them."""
    written_s: float
    """When the last word of their text was written."""


@dataclass(slots=True)
class _BegunUtterance:
    """The utterance that is being said."""

    utterance: DueUtterance
    wanted: Interpreting
    written_s: float
    words: list[ReplyWord] = field(default_factory=list)
    """Those that no message has."""
    begun: bool = False

    def message(self, sound: TranslatedSound, rate: int, *, last: bool) -> TranslationAudio | None:
        """The message of the next samples; None: there is nothing to tell yet."""
        self.words += [
            ReplyWord(word.text, milliseconds(word.start_s), milliseconds(word.end_s)) for word in sound.words
        ]
        if not len(sound.samples) and not (last and self.begun):
            return None
        words, self.words = self.words, []
        first, self.begun = not self.begun, True
        return TranslationAudio(
            seq=1,
            target=resolve(self.wanted.target).code,
            sample_rate=rate,
            start_ms=milliseconds(sound.start_s),
            words=words,
            source=[milliseconds(second) for second in self.utterance.source],
            text=self.utterance.text if first else UNSET,
            last=last,
            pcm=int16_samples(sound.samples).tobytes(),
        )


class SaidTranslations:
    """What is said of the translations of one session.

    Args:
        outbox: takes the messages.
        voice: of the server.
        wanted: how translations are said.
        changed: called when there are new messages.
        ended: called when all has been said behind the last event.

    Attributes:
        wanted: how translations are said; None: they are not.
    """

    def __init__(
        self,
        outbox: Outbox,
        voice: ServerVoice,
        wanted: Interpreting,
        changed: Callable[[], None],
        ended: Callable[[], None],
    ) -> None:
        self.wanted: Interpreting | None = wanted
        self._outbox, self._voice, self._changed, self._ended = outbox, voice, changed, ended
        self._rate = voice.speaker.sample_rate
        self._interpreter = Interpreter(settings_of(wanted), resolve(wanted.target).code, self._rate)
        self._waiting = deque[_DueSound]()
        self._there, self._finishing, self._made_all = True, False, False
        self._news, self._more = asyncio.Event(), asyncio.Event()
        self._tasks = [asyncio.create_task(self._guarded(work)) for work in (self._speak, self._send)]

    def hear(self, events: Sequence[Event], *, last: bool) -> None:
        """Take events of the engine; `last`: no more will come."""
        now = time.monotonic()
        self._interpreter.hear(events, now)
        if last:
            self._finishing = True
            self._interpreter.finish(now)
        self._news.set()

    def change(self, wanted: Interpreting | None) -> None:
        """Say translations otherwise from the next utterance on, or no more; see `Interpreter.change`."""
        settings = InterpretSettings() if wanted is None else settings_of(wanted)
        self._interpreter.change(settings, "" if wanted is None else resolve(wanted.target).code)
        self.wanted = wanted
        self._news.set()

    def listened_to(self, *, there: bool) -> None:
        """The client has a connection again, or has none: then our voice waits."""
        if there and not self._there and self._waiting:
            late_s = max(time.monotonic() - self._waiting[0].heard_s, 0.0)
            self._interpreter.delay(late_s)
            for sound in self._waiting:
                sound.heard_s += late_s
        self._there = there
        self._news.set()
        self._more.set()

    def close(self) -> None:
        """Say nothing more."""
        for task in self._tasks:
            task.cancel()

    async def _speak(self) -> None:
        """Have said what is due, until all has been."""
        playback = Playback()
        while True:
            self._news.clear()
            now = time.monotonic()
            due_s = self._interpreter.due_s(now)
            if due_s is None and self._finishing:
                break
            utterance, wanted = self._interpreter.take(now) if self._there else None, self.wanted
            if utterance is None or wanted is None:
                await _until(self._news, due_s if self._there else None)
                continue
            written_s = now + self._interpreter.behind_s(now) - utterance.behind_s
            await self._say(_BegunUtterance(utterance, wanted, written_s), playback)
        self._made_all = True
        self._more.set()

    async def _say(self, saying: _BegunUtterance, playback: Playback) -> None:
        """Have an utterance said. If it cannot be, the client is told, and the session goes on."""
        turns, why = self._voice.turns, ""
        try:
            playback.ask(turns.clock())
            said = turns.say(self._pieces(saying), playback)
            try:
                while (timed := await said.next()) is not None:
                    self._put(saying, self._interpreter.spoken(timed[0], time.monotonic()))
            finally:
                said.leave()
        except SpeechError as error:
            why = str(error)
        except Exception:
            _log.exception("a translation could not be said")
            why = "the server failed; its log says why"
        self._put(saying, self._interpreter.ended(time.monotonic()), last=True)
        self._voice.telemetry.utterances.labels("failed" if why else "said").inc()
        if why:
            self._tell(why)

    def _pieces(self, saying: _BegunUtterance) -> Iterator[Piece[tuple[SpeechPacket, float]]]:
        utterance, wanted = saying.utterance, saying.wanted
        options = SpeakingOptions(language=wanted.target, voice=wanted.voice, rate=utterance.rate)
        speech = self._voice.speaker.open(options)
        return chain(spoken_pieces(speech, utterance.text, self._rate), spoken_pieces(speech, None, self._rate))

    def _put(self, saying: _BegunUtterance, sound: TranslatedSound, *, last: bool = False) -> None:
        message = saying.message(sound, self._rate, last=last)
        if message is not None:
            self._waiting.append(_DueSound(message, sound.heard_s, saying.written_s))
            self._more.set()

    async def _send(self) -> None:
        """Send what has been made, a little before it is heard."""
        while self._waiting or not self._made_all:
            self._more.clear()
            due_s = self._waiting[0].heard_s - _LEAD_S if self._waiting and self._there else None
            if due_s is None or due_s > time.monotonic():
                await _until(self._more, due_s)
                continue
            sound = self._waiting.popleft()
            if sound.message.text is not UNSET:
                self._voice.telemetry.behind.observe(max(sound.heard_s - sound.written_s, 0.0))
            self._outbox.put(sound.message)
            self._changed()
        self._ended()

    async def _guarded(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        try:
            await work()
        except Exception:
            _log.exception("translations can no longer be said")
            self.close()
            self._tell("the server failed; nothing more is said")
            self._ended()

    def _tell(self, why: str) -> None:
        self._outbox.put(wire.Notice(seq=1, code="not_said", message=why))
        self._changed()


def settings_of(wanted: Interpreting) -> InterpretSettings:
    """How an interpreter says a translation.

    Raises:
        ConfigError: if `late_ms` is not above `easy_ms`.
    """
    return InterpretSettings(
        rate=wanted.rate,
        carry_rate=wanted.carry_rate,
        carry_pauses=wanted.carry_pauses,
        patience_s=wanted.patience_ms / 1000,
        least_words=wanted.least_words,
        fastest=wanted.fastest,
        easy_s=wanted.easy_ms / 1000,
        late_s=wanted.late_ms / 1000,
        longest_pause_s=wanted.longest_pause_ms / 1000,
    )


def check_interpreting(
    message: wire.Options,
    options: StreamOptions,
    saying: SaidTranslations | None,
    voice: ServerVoice | None,
    *,
    answers: bool = False,
) -> None:
    """Check that a session can say what it is to say.

    Args:
        message: `start` or `update`.
        options: of the session with it.
        saying: what the session says so far.
        voice: of the server; None: it has none.
        answers: whether the session answers.

    Raises:
        Refused: if it cannot.
    """
    wanted = message.interpret
    if wanted is UNSET:
        wanted = None if saying is None else saying.wanted
    if wanted is None:
        return
    if answers or (isinstance(message, wire.StartMessage) and message.dialogue is not None):
        raise _refused("bad_config", "a session either answers or says translations, not both")
    if voice is None:
        raise _refused("no_voice", NO_VOICE)
    try:
        _check_voice(wanted, options, voice)
    except LanguageError as error:
        raise _refused("unknown_language", str(error)) from error
    except SpeechError as error:
        raise _refused("bad_config", str(error)) from error


def _check_voice(wanted: Interpreting, options: StreamOptions, voice: ServerVoice) -> None:
    """Raises Refused or SpeechError if a translation is not written so that the voice can say it."""
    code = resolve(wanted.target).code
    if code not in options.targets:
        named = ", ".join(options.targets) or "none"
        raise _refused("bad_config", f"{code} is to be said, which is not among the targets: {named}")
    if options.translation is not None and not options.translation.append:
        text = "what has been said cannot be taken back: a policy whose translation is said needs append"
        raise Refused("bad_config", text, wire.CloseCode.bad_config, "translation")
    settings_of(wanted)
    voice.speaker.check_pronunciation(code)
    voice.speaker.open(SpeakingOptions(language=code, voice=wanted.voice, rate=wanted.rate))


def _refused(code: str, message: str) -> Refused:
    return Refused(code, message, wire.CloseCode.bad_config, "interpret")


async def _until(news: asyncio.Event, at_s: float | None) -> None:
    """Wait for news, at most until a time of the monotonic clock."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(news.wait(), None if at_s is None else max(at_s - time.monotonic(), 0.001))
