"""All sessions of a server: admission, resume, parking and draining."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from serve.engine.pools import Pools
from serve.engine.worker import EngineWorker
from serve.protocols import wire
from serve.sessions.attached import Attached
from serve.sessions.driver import SessionDriver
from serve.sessions.live import LiveSession
from serve.sessions.load import Load, WaitingConnections
from serve.sessions.mouth import Mouth, ServerVoice
from serve.sessions.options import Facts, Refused
from serve.telemetry import Telemetry
from speech.events import milliseconds

_TICK_S = 0.25
_LAST_S = 5.0
"""End of the drain time, reserved for the last finals of sessions that are stopped."""


class SessionRegistry:
    """Opens, keeps and ends sessions. Lives on the event loop.

    Attributes:
        load: recent processing time of audio.
        waiting: connections without a session yet.
        driver: moves data between sessions and the engine.
        draining: the server is about to stop and opens no more sessions.
    """

    def __init__(
        self,
        facts: Facts,
        worker: EngineWorker,
        telemetry: Telemetry,
        pools: Pools,
        mouth: Mouth | None = None,
        voice: ServerVoice | None = None,
    ) -> None:
        self.facts = facts
        self.telemetry = telemetry
        self.load = Load(worker.readers)
        self.waiting = WaitingConnections(facts.config.most_waiting)
        self.driver = SessionDriver(facts, worker, telemetry, pools, self.load, mouth, voice, self._count)
        self._worker = worker
        self._sessions: dict[str, Attached] = {}
        self._opening = 0  # sessions that are being prepared; they count as active
        self.draining = False
        self._ticker = asyncio.create_task(self._tick_forever())

    def __len__(self) -> int:
        return len(self._sessions)

    def admit(self) -> float | None:
        """Return None if another session can be served, otherwise seconds after which to retry."""
        active = sum(item.parked_at is None for item in self._sessions.values()) + self._opening
        if self.draining or self.failed:
            return self.facts.config.drain_s
        config = self.facts.config
        if active >= config.max_sessions or self.load.real_time_factor * (active + 1) > config.max_load:
            return 5.0
        return None

    @property
    def failed(self) -> bool:
        """Whether the engine has failed, and with it all sessions; no new ones can open."""
        return self._worker.failed

    def knows(self, session: str) -> bool:
        """Whether a session with this id exists."""
        return session in self._sessions

    async def open(self, start: wire.StartMessage, *, resumable: bool = True) -> Attached:
        """Open a session. If its connection breaks and it is `resumable`, it waits for its client.

        Raises:
            Refused: if the server is overloaded or an option is not available.
        """
        if self.admit() is not None:
            raise Refused("overloaded", "no session is free; try again later", wire.CloseCode.overloaded)
        self._opening += 1
        try:
            ready = await self.driver.prepare(self.facts.usual, start)
        finally:
            self._opening -= 1
        session = LiveSession(self.facts, start, time.monotonic(), patient=not resumable, ready=ready)
        attached = Attached(session, resumable=resumable)
        self.driver.begin(attached, start)
        self._sessions[session.id] = attached
        self._count()
        attached.connection = 1
        attached.changed()
        return attached

    def resume(self, message: wire.Resume) -> tuple[Attached, list[wire.Frame]]:
        """Resume a session; returns it and the frames that the client missed. An older connection loses it.

        Raises:
            Refused: if there is no such session, the token is wrong, or too much was missed.
        """
        attached = self._sessions.get(message.session)
        if attached is None:
            raise Refused("unknown_session", "no such session", wire.CloseCode.unknown_session)
        missed = attached.session.resume(message.token, message.last_seq, time.monotonic())
        attached.connection += 1
        attached.parked_at = None
        attached.news.set()
        attached.listened_to(there=True)
        self.telemetry.resumes.inc()
        return attached, missed

    def park(self, attached: Attached, connection: int) -> None:
        """Park a session whose connection is gone, or forget it if it is not resumable. An ended session is parked too:
        its last messages may not have arrived."""
        if connection != attached.connection:
            return
        if not attached.resumable:
            self._forget(attached)
        elif attached.parked_at is None:
            attached.parked_at = time.monotonic()
            attached.listened_to(there=False)
            if attached.session.ended:
                self.driver.release(attached)
            self._forget_surplus()

    def _forget_surplus(self) -> None:
        """Keep at most `most_parked` parked sessions with a slot in the engine, and as many without. Sessions with the
        least audio go first: a client that opens and drops many cannot displace sessions that were in use."""
        parked = [attached for attached in self._sessions.values() if attached.parked_at is not None]
        for ended in (False, True):
            some = sorted(
                (attached for attached in parked if (attached.slot is None) is ended),
                key=lambda attached: (attached.real_time_audio_s, attached.parked_at),
            )
            for attached in some[: max(len(some) - self.facts.config.most_parked, 0)]:
                self._forget(attached)

    async def drain(self) -> None:
        """Send `goaway`, wait for clients to leave, then stop the remaining sessions; takes about `drain_s` at most."""
        self.draining = True
        drain_s = self.facts.config.drain_s
        for attached in self._sessions.values():
            attached.session.outbox.put(wire.GoAway(seq=1, in_ms=milliseconds(drain_s), reason="shutdown"))
            attached.changed()
        last_s = min(_LAST_S, drain_s / 2)
        await self._until_gone(drain_s - last_s)
        for attached in list(self._sessions.values()):
            attached.session.stop("shutdown")
            self.driver.submit(attached)
        await self._until_gone(last_s)
        for attached in list(self._sessions.values()):
            if not attached.session.ended:
                attached.session.ending.closing = (wire.CloseCode.restart, "going_away: the server stops")
                attached.changed()
        await asyncio.sleep(0.05)

    async def _until_gone(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while any(a.parked_at is None for a in self._sessions.values()) and time.monotonic() < deadline:
            await asyncio.sleep(0.05)

    async def close(self) -> None:
        """Forget all sessions."""
        self._ticker.cancel()
        for attached in list(self._sessions.values()):
            self._forget(attached)

    def _forget(self, attached: Attached) -> None:
        self.driver.release(attached)
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
            self.driver.submit(attached)
            if attached.session.ended:
                self.driver.release(attached)
