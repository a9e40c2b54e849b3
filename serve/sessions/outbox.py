"""What the server says to one client: numbered, replayable after a reconnect, bounded.

Partial transcripts that the client has not taken yet are replaced by newer ones of the same segment; nothing else is
ever dropped. Nothing follows `end` or a fatal error.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from msgspec import UNSET

from serve.protocols.wire import End, Error, Frame, ServerMessage, TranscriptMessage

_RING_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class _Sent:
    seq: int
    frames: Sequence[Frame]

    @property
    def size(self) -> int:
        return sum(map(len, self.frames))


class Outbox:
    """Messages on their way to a client, and those it may ask for again.

    Attributes:
        seq: number of the last message.
    """

    def __init__(self) -> None:
        self.seq = 0
        self._waiting: deque[ServerMessage] = deque()
        self._ring: deque[_Sent] = deque()
        self._ring_bytes = 0
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, message: ServerMessage) -> None:
        """Number a message and queue it, unless the last one has been said."""
        if self._closed:
            return
        self._closed = isinstance(message, End) or (isinstance(message, Error) and message.fatal)
        last = self._waiting[-1] if self._waiting else None
        if (
            isinstance(message, TranscriptMessage)
            and isinstance(last, TranscriptMessage)
            and last.segment == message.segment
            and not last.is_final
            and last.delta is UNSET
        ):
            self._waiting.pop()
            self.seq -= 1
        self.seq += 1
        message.seq = self.seq
        self._waiting.append(message)

    def take(self, render: Callable[[ServerMessage], Sequence[Frame]]) -> Sequence[Frame] | None:
        """The frames of the next message, of which there may be none; they can be replayed from now on.

        Args:
            render: makes the frames, once.

        Returns:
            None: there is no message.
        """
        if not self._waiting:
            return None
        message = self._waiting.popleft()
        sent = _Sent(message.seq, render(message))
        self._ring.append(sent)
        self._ring_bytes += sent.size
        while self._ring_bytes > _RING_BYTES:
            self._ring_bytes -= self._ring.popleft().size
        return sent.frames

    def replay(self, last_seq: int) -> list[Frame] | None:
        """What was sent after `last_seq`; None if that is not known any more, or was never sent."""
        sent = self.seq - len(self._waiting)
        oldest = self._ring[0].seq if self._ring else sent + 1
        if not oldest - 1 <= last_seq <= sent:
            return None
        return [frame for item in self._ring if item.seq > last_seq for frame in item.frames]
