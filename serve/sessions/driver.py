"""Moves messages, audio and results between sessions, the engine and the thread pools."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

import numpy as np

from serve.engine.pools import Pools, run
from serve.engine.worker import EngineWorker
from serve.protocols import wire
from serve.protocols.dialogue_messages import CancelReply, DialogueRequest
from serve.sessions.attached import Attached
from serve.sessions.interpreting import check_interpreting
from serve.sessions.load import Load
from serve.sessions.mouth import Mouth, ServerVoice
from serve.sessions.options import Facts, Prepared, Refused, prepare, takes_a_while
from serve.sessions.replies import open_replies
from serve.sessions.scoring import Task
from serve.telemetry import Telemetry
from speech.errors import SpeechError
from speech.stream.options import StreamOptions
from speech.stream.slot import Result

_log = logging.getLogger(__name__)


class SessionDriver:
    """Drives all sessions of a server, on the event loop.

    Args:
        facts, worker, telemetry, pools: of the server.
        load: measures the cost of audio.
        mouth: answers aloud; None: the server does not.
        voice: says translations; None: the server has none.
        count: called when a session has been released.
    """

    def __init__(
        self,
        facts: Facts,
        worker: EngineWorker,
        telemetry: Telemetry,
        pools: Pools,
        load: Load,
        mouth: Mouth | None,
        voice: ServerVoice | None,
        count: Callable[[], None],
    ) -> None:
        self._facts, self._worker, self._telemetry, self._pools = facts, worker, telemetry, pools
        self._load, self._mouth, self._voice, self._count = load, mouth, voice, count
        self._scorings: set[asyncio.Task[None]] = set()

    def begin(self, attached: Attached, start: wire.StartMessage) -> None:
        """Open a slot in the engine, and a dialogue if one is asked for. Raises Refused if the model cannot do what is
        asked, or the server does not answer, or cannot say a translation."""
        check_interpreting(start, attached.session.requests.options, None, self._voice)
        if start.dialogue is not None:
            attached.replies = open_replies(attached.session, start.dialogue, self._mouth, attached.changed)
        try:
            attached.slot = self._worker.open(
                attached.session.requests.options, lambda result: self._worked(attached, result)
            )
        except SpeechError as error:
            attached.silence()
            raise Refused("bad_config", str(error), wire.CloseCode.bad_config) from error
        attached.interpret(start, self._voice, self._said)

    async def prepare(self, base: StreamOptions, message: wire.Options) -> Prepared:
        """Run `options.prepare`. Phrases are compiled on a thread, for one session at a time."""
        if takes_a_while(base, message):
            return await run(self._pools.compile, prepare, self._facts, base, message)
        return prepare(self._facts, base, message)

    async def say(self, attached: Attached, message: wire.ClientMessage | bytes, connection: int) -> None:
        """Pass a client's message to its session, unless a newer connection has taken the session over.

        Slow work runs on threads. Decoding always completes, even if the connection breaks, because the audio counts
        as received.
        """
        session = attached.session
        while attached.decoding is not None:
            await asyncio.wait({attached.decoding})
        ready: Prepared | Refused | None = None
        if isinstance(message, wire.Update):
            try:
                ready = await self.prepare(session.requests.options, message)
                check_interpreting(message, ready.options, attached.saying, self._voice, answers=bool(attached.replies))
            except Refused as refused:
                ready = refused
        if attached.connection != connection:
            return
        now = time.monotonic()
        if isinstance(message, DialogueRequest):
            self._answer(attached, message, now)
        elif not isinstance(message, bytes):
            session.receive(message, now, ready)
            if isinstance(ready, Prepared) and isinstance(message, wire.Update):
                attached.interpret(message, self._voice, self._said)
        elif session.accept(message, now):
            if session.intake.quick(message):
                session.take(session.intake.decode(message))
            else:
                await self._decode(attached, message)
        self.submit(attached)

    def _answer(self, attached: Attached, message: DialogueRequest, now: float) -> None:
        if attached.replies is None:
            attached.session.receive(message, now)
            return
        attached.session.presence.heard(now)
        if not attached.session.ended:
            attached.requested.append(message)
            self._carry_out(attached)

    def _carry_out(self, attached: Attached) -> None:
        """Pass requests to the dialogue. They wait for finals that were asked for before them, because a reply answers
        all that has been said; a reply that is under way is cancelled at once."""
        requested, session = attached.requested, attached.session
        while requested and attached.replies is not None:
            if session.requests.unanswered and not isinstance(requested[0], CancelReply):
                return
            try:
                attached.replies.receive(requested.popleft())
            except Refused as refused:
                session.refuse(refused.code, refused.message, param=refused.param)

    def _said(self, attached: Attached) -> None:
        attached.session.ending.said()
        attached.changed()
        if attached.session.ended:
            self.release(attached)

    async def _decode(self, attached: Attached, data: bytes) -> None:
        decoding = asyncio.ensure_future(run(self._pools.audio, attached.session.intake.decode, data))
        attached.decoding = decoding
        decoding.add_done_callback(lambda done: self._decoded(attached, done))
        await asyncio.wait({decoding})

    def _decoded(self, attached: Attached, done: asyncio.Future[np.ndarray | SpeechError]) -> None:
        attached.decoding = None
        try:
            attached.session.take(done.result())
        except (Exception, asyncio.CancelledError):
            _log.exception("audio could not be decoded")
            attached.session.ending.crashed()
        self.submit(attached)
        if attached.session.ended:
            self.release(attached)

    def submit(self, attached: Attached) -> None:
        """Hand new work of the session to the engine, and new scoring tasks to a thread."""
        session = attached.session
        if session.requests.work and attached.slot is not None:
            work = list(session.requests.work)
            session.requests.work.clear()
            self._worker.submit(attached.slot, work)
        tasks = session.scoring.take()
        if tasks:
            scoring = asyncio.create_task(self._score(attached, tasks))
            self._scorings.add(scoring)
            scoring.add_done_callback(self._scorings.discard)
        attached.changed()

    def release(self, attached: Attached) -> None:
        """Close the session's slot in the engine."""
        if attached.slot is not None:
            self._worker.close(attached.slot)
            attached.slot = None
        attached.silence()
        self._count()

    def _worked(self, attached: Attached, result: Result) -> None:
        session = attached.session
        if session.ended:
            return
        before = session.flow.processed_s
        try:
            busy_s = result.stepped_s + result.read_s
            session.worked(result.events, result.done, result.processed_s, busy_s, time.monotonic())
            if attached.replies is not None:
                attached.replies.hear(result.events, result.heard_s)
                self._carry_out(attached)
            if attached.saying is not None:
                attached.saying.hear(result.events, last=session.ending.all_heard)
        except Exception:
            _log.exception("what the engine says cannot be said on")
            session.ending.crashed()
        audio_s = session.flow.processed_s - before
        self._telemetry.audio.inc(audio_s)
        self._load.measure(audio_s, result)
        self._telemetry.worked(session, result)
        if result.error is not None:
            session.ending.crashed()
        self.submit(attached)
        if session.ended:
            self.release(attached)

    async def _score(self, attached: Attached, tasks: Sequence[Task]) -> None:
        session = attached.session
        try:
            found = await run(self._pools.scoring, session.scoring.run, tasks)
        except Exception:
            _log.exception("a session could not be scored")
            found = session.scoring.give_up()
        if session.ended:
            return
        session.ending.scored(found)
        self.submit(attached)
        if session.ended:
            self.release(attached)
