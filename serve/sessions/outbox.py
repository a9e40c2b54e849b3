"""Outgoing messages of one session: numbered, replayable after a reconnect, bounded.

A partial transcript that is still last in the queue is replaced by the next transcript of its segment, unless it has a
delta. No other message is dropped.
Nothing follows `end` or a fatal error.
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
    """Queue of unsent messages, and a buffer of sent ones for replay.

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
        """Number a message and queue it; ignored after `end` or a fatal error."""
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
        """Take the next message as frames; they can be replayed from now on.

        Args:
            render: converts the message into frames; called once.

        Returns:
            The frames, possibly none; None if no message waits.
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
        """Frames that were sent after `last_seq`; None if they are no longer kept, or it was never sent."""
        sent = self.seq - len(self._waiting)
        oldest = self._ring[0].seq if self._ring else sent + 1
        if not oldest - 1 <= last_seq <= sent:
            return None
        return [frame for item in self._ring if item.seq > last_seq for frame in item.frames]
