"""Answers that are asked for and said, for one session: tasks on the event loop around its dialogue."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Sequence

from serve.engine.deadlines import Playback
from serve.engine.spoken_pieces import spoken_pieces
from serve.protocols import wire
from serve.protocols.dialogue_messages import Conversing, DialogueRequest, UpdateDialogue
from serve.sessions.conversation import Conversation
from serve.sessions.live import LiveSession
from serve.sessions.mouth import NO_ANSWERS, Mouth
from serve.sessions.options import Refused
from speech.dialogue.actions import Ask, Held, ReplyBegun, Say
from speech.dialogue.answers.answerer import AnswerPart
from speech.errors import SpeechError
from speech.events import Event
from speech.speaker import Speaker
from speech.tts.speech_stream import SpeakingOptions, SpeechStream

_log = logging.getLogger(__name__)
_FAILED = "the server failed; its log says why"


class Replies:
    """The replies of one session.

    Args:
        conversation: of the session.
        mouth: of the server.
        changed: called when there are new messages.
    """

    def __init__(self, conversation: Conversation, mouth: Mouth, changed: Callable[[], None]) -> None:
        self._conversation, self._mouth, self._changed = conversation, mouth, changed
        self._made: dict[int, _Making] = {}
        self._wake = asyncio.Event()
        self._ticker = asyncio.create_task(self._tick_forever())

    def hear(self, events: Sequence[Event], heard_s: float) -> None:
        """Take events of the engine, which has looked for speech up to `heard_s` of the user's audio."""
        self._conversation.hear(events, heard_s, time.monotonic())
        self._settle()

    def receive(self, message: DialogueRequest) -> None:
        """Take a message of the client.

        Raises:
            Refused: if there is no such voice or language, or pauses are not in order; nothing has changed.
        """
        try:
            if isinstance(message, UpdateDialogue):
                check_voice(self._mouth.speaker, message.dialogue)
            self._conversation.receive(message, time.monotonic())
        except SpeechError as error:
            raise Refused("bad_config", str(error), None, "dialogue") from error
        self._settle()

    def listened_to(self, *, there: bool) -> None:
        """The client has a connection again, or has none."""
        self._conversation.listened_to(time.monotonic(), there=there)
        self._settle()

    def work(self) -> None:
        """Begin the jobs that the dialogue has given."""
        jobs, self._conversation.jobs = self._conversation.jobs, []
        for job in jobs:
            if isinstance(job, Ask):
                self._made[job.reply] = _Making(job, self._conversation, self._mouth, self._advanced)
            elif isinstance(job, Say):
                self._made[job.reply].say(job)
            elif job.reply in self._made:
                self._made.pop(job.reply).drop()
        self._made = {number: making for number, making in self._made.items() if not making.over}
        self._wake.set()

    def close(self) -> None:
        """Say nothing more."""
        self._ticker.cancel()
        for making in self._made.values():
            making.drop()
        self._made.clear()

    def _advanced(self) -> None:
        """Something of a reply has been made."""
        self._conversation.tick(time.monotonic())
        self._settle()

    def _settle(self) -> None:
        self.work()
        self._measure()
        self._changed()

    def _measure(self) -> None:
        """Count what has happened."""
        done, self._conversation.measured = self._conversation.measured, []
        telemetry = self._mouth.telemetry
        for what in done:
            if isinstance(what, ReplyBegun):
                telemetry.answered(what.stages)
            else:
                (telemetry.held if isinstance(what, Held) else telemetry.interruptions).inc()

    async def _tick_forever(self) -> None:
        try:
            await self._tick_on()
        except Exception:
            _log.exception("a dialogue cannot go on")

    async def _tick_on(self) -> None:
        while True:
            self._wake.clear()
            now = time.monotonic()
            due_s = self._conversation.dialogue.voice.next_s(now)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), None if due_s is None else max(due_s - now, 0.001))
                continue
            self._conversation.tick(time.monotonic())
            self._settle()


class _Making:
    """One reply: a task that asks, and one that has said what comes."""

    def __init__(self, ask: Ask, conversation: Conversation, mouth: Mouth, advanced: Callable[[], None]) -> None:
        self._ask, self._conversation, self._mouth, self._advanced = ask, conversation, mouth, advanced
        self._parts = asyncio.Queue[AnswerPart | SpeechError | None]()
        self._texts = asyncio.Queue[str | None]()
        tools = conversation.options.tools
        self._answer = mouth.answerer.answer(ask.messages, tools)
        self._loop = asyncio.get_running_loop()
        self._waiting = self._loop.run_in_executor(mouth.pool, self._listen)
        self._tasks = [asyncio.create_task(self._guarded(work)) for work in (self._read, self._speak)]

    @property
    def over(self) -> bool:
        """Whether all has been said."""
        return all(task.done() for task in self._tasks)

    def say(self, job: Say) -> None:
        """Have text said, behind that before it."""
        if job.text:
            self._texts.put_nowait(job.text)
        if job.last:
            self._texts.put_nowait(None)

    def drop(self) -> None:
        """Neither answer nor speech is wanted."""
        for task in self._tasks:
            task.cancel()
        self._waiting.cancel()
        self._answer.close()

    def _listen(self) -> None:
        """Runs on a thread of the pool: passes the parts of the answer to the event loop."""
        end: SpeechError | None = None
        try:
            for part in self._answer:
                self._loop.call_soon_threadsafe(self._parts.put_nowait, part)
        except SpeechError as error:
            end = error
        except Exception:
            _log.exception("an answer could not be read")
            end = SpeechError(_FAILED)
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            self._loop.call_soon_threadsafe(self._parts.put_nowait, end)

    async def _read(self) -> None:
        dialogue, number = self._conversation.dialogue, self._ask.reply
        while True:
            part = await self._parts.get()
            if isinstance(part, SpeechError):
                raise part
            if part is None:
                dialogue.voice.answer_ended(number)
            else:
                dialogue.voice.answered(number, part, time.monotonic())
            self._advanced()
            if part is None:
                return

    async def _speak(self) -> None:
        dialogue, number, turns = self._conversation.dialogue, self._ask.reply, self._mouth.turns
        text, playback = self._open(), Playback()
        more: str | None = ""
        while more is not None:
            more = await self._next_text()
            playback.ask(turns.clock())
            said = turns.say(spoken_pieces(text, more, self._mouth.speaker.sample_rate), playback)
            try:
                while (timed := await said.next()) is not None:
                    dialogue.voice.spoken(number, timed[0], time.monotonic())
                    self._advanced()
            finally:
                said.leave()
        dialogue.voice.speech_ended(number)
        self._advanced()

    async def _next_text(self) -> str | None:
        """The next text; what waits in a row is one. None: the rest."""
        text = await self._texts.get()
        while text is not None and not self._texts.empty():
            more = self._texts.get_nowait()
            if more is None:
                self._texts.put_nowait(None)
                return text
            text += more
        return text

    def _open(self) -> SpeechStream:
        options, speaker = self._conversation.options, self._mouth.speaker
        turn = self._ask.turn
        heard = turn.language if turn is not None else None
        language = options.language or heard or "eng"
        wanted = SpeakingOptions(language=language, voice=options.voice, rate=options.rate)
        try:
            return speaker.open(wanted)
        except SpeechError:
            known = speaker.language_of(options.voice) if options.voice else "eng"
            if options.language or language == known:
                raise
            return speaker.open(SpeakingOptions(language=known, voice=options.voice, rate=options.rate))

    async def _guarded(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        try:
            await work()
        except SpeechError as error:
            self._failed(str(error))
        except Exception:
            _log.exception("a reply failed")
            self._failed(_FAILED)

    def _failed(self, why: str) -> None:
        self._conversation.dialogue.voice.failed(self._ask.reply, why)
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self._advanced()


def open_replies(
    session: LiveSession, options: Conversing, mouth: Mouth | None, changed: Callable[[], None]
) -> Replies:
    """The replies of a new session.

    Args:
        session: takes the messages.
        options: of the client.
        mouth: of the server; None: it does not answer.
        changed: called when there are new messages.

    Raises:
        Refused: if the server does not answer, or has no such voice or language.
    """
    if mouth is None:
        raise Refused("no_dialogue", NO_ANSWERS, wire.CloseCode.bad_config, "dialogue")
    try:
        check_voice(mouth.speaker, options)
        conversation = Conversation(
            options,
            session.outbox,
            mouth.speaker.sample_rate,
            mouth.end_of_turn,
            mouth.listening,
            mouth.instructions,
        )
    except SpeechError as error:
        raise Refused("bad_config", str(error), wire.CloseCode.bad_config, "dialogue") from error
    return Replies(conversation, mouth, changed)


def check_voice(speaker: Speaker, options: Conversing) -> None:
    """Raises ConfigError or LanguageError if a dialogue cannot be led with this voice or language."""
    language = options.language or (speaker.language_of(options.voice) if options.voice else "eng")
    speaker.open(SpeakingOptions(language=language, voice=options.voice, rate=options.rate))
