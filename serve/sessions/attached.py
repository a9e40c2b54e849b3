"""A session and its current connection."""

from __future__ import annotations

import asyncio
import time
from collections import deque

import numpy as np

from serve.engine.worker import WorkerSlot
from serve.protocols.dialogue_messages import DialogueRequest
from serve.sessions.live import LiveSession
from serve.sessions.replies import Replies
from speech.errors import SpeechError

_MOST_WAITING = 256
"""Unsent messages, beyond which the server stops reading from the client."""
_MOST_REQUESTED = 64
"""The same for requests to the dialogue."""


class Attached:
    """A session and its current connection.

    Attributes:
        slot: its slot in the engine; None once it is released.
        news: set when the outbox has messages, or the session is closing.
        room: set while the socket may be read.
        connection: number of the current connection.
        parked_at: when the session was parked; None while it has a connection.
        replies: what the server answers; None: it only recognises.
        requested: requests to the dialogue, which wait for answers of the engine to what was asked before them.
        decoding: audio that is being decoded; the session gets nothing else until it is done.
    """

    def __init__(self, session: LiveSession, *, resumable: bool) -> None:
        self.session = session
        self.slot: WorkerSlot | None = None
        self.replies: Replies | None = None
        self.requested: deque[DialogueRequest] = deque()
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
        """Received audio in seconds, but no more than real time since the session was opened."""
        now = time.monotonic() if self.parked_at is None else self.parked_at
        return min(self.session.flow.received_s, now - self.opened_at)

    def changed(self) -> None:
        """Wake the connection, and update whether its socket may be read."""
        session = self.session
        crowded = len(session.outbox) > _MOST_WAITING or len(self.requested) >= _MOST_REQUESTED
        if session.full or session.behind or crowded:
            self.room.clear()
        else:
            self.room.set()
        if len(self.session.outbox) or self.session.ending.closing is not None:
            self.news.set()
