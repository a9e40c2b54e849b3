"""Load of a server, which decides whether another session can be served."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from serve.protocols import wire
from serve.sessions.options import Refused
from speech.stream.slot import Result

_MEMORY_S = 120.0
_LEARNED_S = 20.0


class Load:
    """Recent processing time of audio.

    Args:
        readers: number of threads that read parts; 0: the engine's thread reads them.
    """

    def __init__(self, readers: int) -> None:
        self._readers = readers
        self._audio_s = self._stepped_s = self._read_s = 0.0  # decayed sums over the last minutes of audio

    @property
    def real_time_factor(self) -> float:
        """Recent processing time per second of audio, of the busier of chunks and readers; 0 until it is known."""
        if self._audio_s <= _LEARNED_S:
            return 0.0
        threads = self._readers
        shared = (self._stepped_s + self._read_s) if not threads else max(self._stepped_s, self._read_s / threads)
        return shared / self._audio_s

    def measure(self, audio_s: float, result: Result) -> None:
        """Record that `audio_s` of audio was processed at the cost given in `result`."""
        kept = 0.5 ** (audio_s / _MEMORY_S)
        self._audio_s = self._audio_s * kept + audio_s
        self._stepped_s = self._stepped_s * kept + result.stepped_s
        self._read_s = self._read_s * kept + result.read_s


class WaitingConnections:
    """Counts connections that have no session yet.

    Args:
        most: maximum number of such connections.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting = 0

    def crowded(self, *, resuming: bool = False) -> bool:
        """Whether another connection may not wait for a session. The limit is twice as high for a resume."""
        return self._waiting >= self._most * (2 if resuming else 1)

    @contextlib.contextmanager
    def entered(self, *, resuming: bool = False) -> Iterator[None]:
        """Count a connection while it has no session. Raises Refused if there are too many."""
        if self.crowded(resuming=resuming):
            raise Refused("overloaded", "too many connections wait to begin", wire.CloseCode.overloaded)
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
