"""A session and the connection that speaks for it now."""

from __future__ import annotations

import asyncio
import time

import numpy as np

from serve.engine.worker import WorkerSlot
from serve.sessions.live import LiveSession
from speech.errors import SpeechError

_MOST_WAITING = 256
"""Messages that a client has not taken, from which it is not listened to until it takes some."""


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
        return min(self.session.flow.received_s, now - self.opened_at)

    def changed(self) -> None:
        """Let the connection look again."""
        session = self.session
        if session.full or session.behind or len(session.outbox) > _MOST_WAITING:
            self.room.clear()
        else:
            self.room.set()
        if len(self.session.outbox) or self.session.ending.closing is not None:
            self.news.set()
