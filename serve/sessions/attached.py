"""A session and its current connection."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

import numpy as np
from msgspec import UNSET

from serve.engine.worker import WorkerSlot
from serve.protocols import wire
from serve.protocols.dialogue_messages import DialogueRequest
from serve.sessions.interpreting import SaidTranslations
from serve.sessions.live import LiveSession
from serve.sessions.mouth import ServerVoice
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
        saying: translations that are said; None: none are.
        requested: requests to the dialogue, which wait for answers of the engine to what was asked before them.
        decoding: audio that is being decoded; the session gets nothing else until it is done.
    """

    def __init__(self, session: LiveSession, *, resumable: bool) -> None:
        self.session = session
        self.slot: WorkerSlot | None = None
        self.replies: Replies | None = None
        self.saying: SaidTranslations | None = None
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

    def interpret(self, message: wire.Options, voice: ServerVoice | None, said: Callable[[Attached], None]) -> None:
        """Begin to say translations, or say them otherwise, as `start` or `update` wants it.

        Args:
            message: whose options the session has taken.
            voice: of the server.
            said: called when all has been said behind the last audio.
        """
        wanted, ending = message.interpret, self.session.ending
        if wanted is UNSET or ending.stopping or ending.ended:
            return
        if self.saying is not None:
            self.saying.change(wanted)
        elif wanted is not None and voice is not None:
            self.saying = SaidTranslations(self.session.outbox, voice, wanted, self.changed, lambda: said(self))
            ending.saying = True

    def listened_to(self, *, there: bool) -> None:
        """The client has a connection again, or has none: then our voice waits."""
        if self.replies is not None:
            self.replies.listened_to(there=there)
        if self.saying is not None:
            self.saying.listened_to(there=there)

    def silence(self) -> None:
        """Our voice says nothing more."""
        if self.replies is not None:
            self.replies.close()
            self.replies = None
        if self.saying is not None:
            self.saying.close()
            self.saying = None

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
