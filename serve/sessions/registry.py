"""All sessions of a server: who may open one, which of them a client is connected to, which wait for theirs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator, Sequence

import numpy as np

from serve.engine.pools import Pools, run
from serve.engine.worker import EngineWorker, WorkerSlot
from serve.protocols import wire
from serve.sessions.live import LiveSession
from serve.sessions.options import Facts, Prepared, Refused, prepare, takes_a_while
from serve.sessions.scoring import Task
from serve.telemetry import Telemetry
from speech.errors import SpeechError
from speech.stream.options import StreamOptions
from speech.stream.slot import Result

_log = logging.getLogger(__name__)
_TICK_S = 0.25
_MEMORY_S = 120.0
_LEARNED_S = 20.0
_MOST_WAITING = 256
"""Messages that a client has not taken, from which it is not listened to until it takes some."""
_LAST_S = 5.0
"""Of draining, for the last finals of those who have not stopped by themselves."""


class Attached:
    """A session and the connection that speaks for it now.

    Attributes:
        news: set when the outbox has something, or the session is closing.
        room: set while the socket may be read.
        decoding: audio that has been taken and is being decoded; nothing else is said to the session before that.
    """

    def __init__(self, session: LiveSession, *, resumable: bool) -> None:
        self.session = session
        self.slot: WorkerSlot | None = None
        self.news = asyncio.Event()
        self.room = asyncio.Event()
        self.room.set()
        self.connection = 0
        self.opened_at = time.monotonic()
        self.parked_at: float | None = None
        self.resumable = resumable
        self.decoding: asyncio.Future[np.ndarray | SpeechError] | None = None

    @property
    def real_time_audio_s(self) -> float:
        """How much somebody has said for as long as it takes to say it."""
        now = time.monotonic() if self.parked_at is None else self.parked_at
        return min(self.session.received_s, now - self.opened_at)

    def changed(self) -> None:
        """Let the connection look again."""
        session = self.session
        if session.full or session.behind or len(session.outbox) > _MOST_WAITING:
            self.room.clear()
        else:
            self.room.set()
        if len(self.session.outbox) or self.session.closing is not None:
            self.news.set()


class SessionRegistry:
    """Opens, keeps and ends sessions. Lives on the event loop."""

    def __init__(self, facts: Facts, worker: EngineWorker, telemetry: Telemetry, pools: Pools) -> None:
        self.facts = facts
        self.pools = pools
        self._worker = worker
        self.telemetry = telemetry
        self._sessions: dict[str, Attached] = {}
        self._opening = 0  # sessions that are being prepared, and have their place already
        self._waiting = 0  # connections without a session
        self.draining = False
        self._audio_s = self._stepped_s = self._read_s = 0.0  # of the last minutes of audio
        self._ticker = asyncio.create_task(self._tick_forever())
        self._scorings: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._sessions)

    def admit(self) -> float | None:
        """None if another session can be served; otherwise after how many seconds to try again."""
        active = sum(item.parked_at is None for item in self._sessions.values()) + self._opening
        if self.draining or self.failed:
            return self.facts.config.drain_s
        config = self.facts.config
        if active >= config.max_sessions or self.real_time_factor * (active + 1) > config.max_load:
            return 5.0
        return None

    def crowded(self, *, resuming: bool = False) -> bool:
        """Whether so many connections wait to begin a session that another cannot; those that come back to theirs may
        be twice as many."""
        return self._waiting >= self.facts.config.most_waiting * (2 if resuming else 1)

    @contextlib.contextmanager
    def waiting(self, *, resuming: bool = False) -> Iterator[None]:
        """Around a connection's time without a session. Raises Refused."""
        if self.crowded(resuming=resuming):
            raise Refused("overloaded", "too many connections wait to begin", wire.CloseCode.overloaded)
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    @property
    def failed(self) -> bool:
        """Whether the engine has, and with it all sessions: there will be no others."""
        return self._worker.failed

    def knows(self, session: str) -> bool:
        """Whether somebody could come back to a session."""
        return session in self._sessions

    @property
    def real_time_factor(self) -> float:
        """Time for a second of audio of what is busiest, chunks or readers, measured lately; 0 before it is known."""
        if self._audio_s <= _LEARNED_S:
            return 0.0
        threads = self._worker.readers
        shared = (self._stepped_s + self._read_s) if not threads else max(self._stepped_s, self._read_s / threads)
        return shared / self._audio_s

    async def open(self, start: wire.StartMessage, *, resumable: bool = True) -> Attached:
        """A new session, which waits for its client if the connection breaks and the protocol can resume.

        Raises:
            Refused: if it cannot be had as asked for.
        """
        if self.admit() is not None:
            raise Refused("overloaded", "no session is free; try again later", wire.CloseCode.overloaded)
        self._opening += 1
        try:
            ready = await self.prepare(StreamOptions(), start)
        finally:
            self._opening -= 1
        session = LiveSession(self.facts, start, time.monotonic(), patient=not resumable, ready=ready)
        attached = Attached(session, resumable=resumable)
        try:
            attached.slot = self._worker.open(session.options, lambda result: self._worked(attached, result))
        except SpeechError as error:
            raise Refused("bad_config", str(error), wire.CloseCode.bad_config) from error
        self._sessions[session.id] = attached
        self._count()
        attached.connection = 1
        attached.changed()
        return attached

    async def prepare(self, base: StreamOptions, message: wire.Options) -> Prepared:
        """See `options.prepare`; phrases are compiled on a thread, and only those of one session at a time."""
        if takes_a_while(base, message):
            return await run(self.pools.compile, prepare, self.facts, base, message)
        return prepare(self.facts, base, message)

    async def say(self, attached: Attached, message: wire.ClientMessage | bytes, connection: int) -> None:
        """Give a session what its client says on a connection, unless another has it by then.

        What takes a while is done on threads; it is done to its end whatever becomes of the connection, since the
        audio counts as received.
        """
        session = attached.session
        while attached.decoding is not None:
            await asyncio.wait({attached.decoding})
        ready: Prepared | Refused | None = None
        if isinstance(message, wire.Update):
            try:
                ready = await self.prepare(session.options, message)
            except Refused as refused:
                ready = refused
        if attached.connection != connection:
            return
        now = time.monotonic()
        if not isinstance(message, bytes):
            session.receive(message, now, ready)
        elif session.accept(message, now):
            if session.intake.quick(message):
                session.take(session.intake.decode(message))
            else:
                await self._decode(attached, message)
        self.submit(attached)

    async def _decode(self, attached: Attached, data: bytes) -> None:
        decoding = asyncio.ensure_future(run(self.pools.audio, attached.session.intake.decode, data))
        attached.decoding = decoding
        decoding.add_done_callback(lambda done: self._decoded(attached, done))
        await asyncio.wait({decoding})

    def _decoded(self, attached: Attached, done: asyncio.Future[np.ndarray | SpeechError]) -> None:
        attached.decoding = None
        try:
            attached.session.take(done.result())
        except (Exception, asyncio.CancelledError):
            _log.exception("audio could not be decoded")
            attached.session.crashed()
        self.submit(attached)
        if attached.session.ended:
            self._release(attached)

    def resume(self, message: wire.Resume) -> tuple[Attached, list[wire.Frame]]:
        """The session that a client comes back to, and what it has missed; an older connection loses it.

        Raises:
            Refused: if there is none, or the token is another.
        """
        attached = self._sessions.get(message.session)
        if attached is None:
            raise Refused("unknown_session", "no such session", wire.CloseCode.unknown_session)
        missed = attached.session.resume(message.token, message.last_seq, time.monotonic())
        attached.connection += 1
        attached.parked_at = None
        attached.news.set()
        self.telemetry.resumes.inc()
        return attached, missed

    def submit(self, attached: Attached) -> None:
        """Hand the session's new work to the engine, and to a thread what is to be scored."""
        session = attached.session
        if session.work and attached.slot is not None:
            work = list(session.work)
            session.work.clear()
            self._worker.submit(attached.slot, work)
        tasks = session.scoring.take()
        if tasks:
            scoring = asyncio.create_task(self._score(attached, tasks))
            self._scorings.add(scoring)
            scoring.add_done_callback(self._scorings.discard)
        attached.changed()

    def park(self, attached: Attached, connection: int) -> None:
        """The connection is gone; the session waits for another. One that has ended does too: its last messages may
        not have arrived."""
        if connection != attached.connection:
            return
        if not attached.resumable:
            self._forget(attached)
        elif attached.parked_at is None:
            attached.parked_at = time.monotonic()
            if attached.session.ended:
                self._release(attached)
            self._forget_surplus()

    def _forget_surplus(self) -> None:
        """No more than so many sessions wait for their clients, with the engine's memory or without. Those go first in
        which the least has been said: who opens and drops many cannot drive out those that were in use."""
        parked = [attached for attached in self._sessions.values() if attached.parked_at is not None]
        for ended in (False, True):
            some = sorted(
                (attached for attached in parked if (attached.slot is None) is ended),
                key=lambda attached: (attached.real_time_audio_s, attached.parked_at),
            )
            for attached in some[: max(len(some) - self.facts.config.most_parked, 0)]:
                self._forget(attached)

    async def drain(self) -> None:
        """Say goodbye to everybody and wait until they have gone, as long as the configuration allows."""
        self.draining = True
        drain_s = self.facts.config.drain_s
        for attached in self._sessions.values():
            attached.session.goaway(drain_s, "shutdown")
            attached.changed()
        last_s = min(_LAST_S, drain_s / 2)
        await self._until_gone(drain_s - last_s)
        for attached in list(self._sessions.values()):
            attached.session.stop("shutdown")
            self.submit(attached)
        await self._until_gone(last_s)
        for attached in list(self._sessions.values()):
            if not attached.session.ended:
                attached.session.closing = (wire.CloseCode.restart, "going_away: the server stops")
                attached.changed()
        await asyncio.sleep(0.05)

    async def _until_gone(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while any(a.parked_at is None for a in self._sessions.values()) and time.monotonic() < deadline:
            await asyncio.sleep(0.05)

    async def close(self) -> None:
        """Forget everything."""
        self._ticker.cancel()
        for attached in list(self._sessions.values()):
            self._forget(attached)

    def _worked(self, attached: Attached, result: Result) -> None:
        session = attached.session
        if session.ended:
            return
        before = session.processed_s
        try:
            busy_s = result.stepped_s + result.read_s
            session.worked(result.events, result.done, result.processed_s, busy_s, time.monotonic())
        except Exception:
            _log.exception("what the engine says cannot be said on")
            session.crashed()
        self._learn(session.processed_s - before, result)
        self.telemetry.worked(session, result)
        if result.error is not None:
            session.crashed()
        self.submit(attached)
        if session.ended:
            self._release(attached)

    async def _score(self, attached: Attached, tasks: Sequence[Task]) -> None:
        session = attached.session
        try:
            found = await run(self.pools.scoring, session.scoring.run, tasks)
        except Exception:
            _log.exception("a session could not be scored")
            found = session.scoring.give_up()
        if session.ended:
            return
        session.scored(found)
        self.submit(attached)
        if session.ended:
            self._release(attached)

    def _learn(self, audio_s: float, result: Result) -> None:
        self.telemetry.audio.inc(audio_s)
        kept = 0.5 ** (audio_s / _MEMORY_S)
        self._audio_s = self._audio_s * kept + audio_s
        self._stepped_s = self._stepped_s * kept + result.stepped_s
        self._read_s = self._read_s * kept + result.read_s

    def _release(self, attached: Attached) -> None:
        if attached.slot is not None:
            self._worker.close(attached.slot)
            attached.slot = None
        self._count()

    def _forget(self, attached: Attached) -> None:
        self._release(attached)
        self._sessions.pop(attached.session.id, None)
        self._count()

    def _count(self) -> None:
        self.telemetry.sessions.set(sum(not attached.session.ended for attached in self._sessions.values()))

    async def _tick_forever(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(_TICK_S)
            now = time.monotonic()
            self.telemetry.loop_lag.observe(max(now - before - _TICK_S, 0.0))
            self.telemetry.tasks.set(len(asyncio.all_tasks()))
            self._tick(list(self._sessions.values()), now)

    def _tick(self, sessions: Sequence[Attached], now: float) -> None:
        for attached in sessions:
            if attached.parked_at is not None:
                if now - attached.parked_at > self.facts.config.resume_s:
                    self._forget(attached)
                continue
            attached.session.tick(now)
            self.submit(attached)
            if attached.session.ended:
                self._release(attached)
