"""Texts of several clients take turns on the threads that say them; see `serve.engine.deadlines` for whose turn it is.

A turn is what makes one piece: a sentence's durations, its curves, or the samples of a window. Pieces are made ahead of
the client that takes them, so that the next turn can be the same client's without waiting for its socket, but only
`_AHEAD`: one that does not take them gets no turns. A client's first packet is soon played; where others want turns, it
is handed over with those behind it that make up half a second.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from threading import RLock
from typing import Any, NamedTuple

from serve.engine.deadlines import EarliestDeadline, Playback
from serve.telemetry import Telemetry

_AHEAD = 2
"""Pieces of a text that may wait for their client."""
_HELD_S = 0.5
"""Seconds of audio that a client gets at least with its first packet where others want turns; more makes that later."""


class Piece[T](NamedTuple):
    """What a turn makes."""

    value: T
    audio_s: float
    """Seconds of audio in it."""


class SpeakingTurns:
    """The turns of all clients.

    Args:
        pool: its threads say texts.
        alone: its thread says a text while no other has or wants a turn.
        telemetry: counts what is said, and how late.
        clock: seconds that go forward.
    """

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        alone: ThreadPoolExecutor,
        telemetry: Telemetry,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool, self._alone, self._telemetry, self.clock = pool, alone, telemetry, clock
        self._lock = RLock()
        self._waiting, self._running = EarliestDeadline[TextTurns[Any]](), 0

    def say[T](self, pieces: Iterator[Piece[T]], playback: Playback) -> TextTurns[T]:
        """Have a text said; called on the event loop that takes the pieces.

        Args:
            pieces: each is made in a turn.
            playback: of the client, whose texts are said one after the other.
        """
        text = TextTurns(self, pieces, playback)
        with self._lock:
            self.queue(text)
        return text

    def queue[T](self, text: TextTurns[T]) -> None:
        """Have a text wait for a turn; called with the lock held."""
        self._waiting.wait(text, text.playback.due_s)
        pool = self._alone if len(self._waiting) + self._running == 1 else self._pool
        try:
            pool.submit(self._turn).add_done_callback(self._dropped)
        except RuntimeError:  # the server ends
            self._end_one()

    def take[T](self, text: TextTurns[T]) -> Piece[T] | None:
        """The next piece of a text that is ready; a text that has had to wait for this may have turns again."""
        with self._lock:
            return text.taken()

    def leave[T](self, text: TextTurns[T]) -> None:
        """Say no more of a text; what is under way is dropped."""
        with self._lock:
            self._waiting.leave(text)
            pieces = text.left()
        del pieces  # closes a generator, which may take a while

    def _turn(self) -> None:
        """Runs on a thread of a pool, once for each time that a text was queued; all those turns are alike."""
        with self._lock:
            text = self._waiting.take()
            self._running += text is not None
        if text is None:  # it has left
            return
        made, error = list[Piece[Any]](), None
        try:
            for piece in text.pieces:
                made.append(piece)
                if not self._are_held(text, made):
                    break
        except Exception as failure:
            error = failure
        now_s = self.clock()
        with self._lock:
            self._running -= 1
            for piece in made:
                self._said(text, piece, now_s)
            text.made(made, error)

    def _are_held(self, text: TextTurns[Any], made: Sequence[Piece[Any]]) -> bool:
        """Whether pieces are handed over with the next one only."""
        with self._lock:
            begins = 0 < sum(piece.audio_s for piece in made) < _HELD_S and not text.playback.plays and not text.over
            return begins and len(self._waiting) + self._running > 1

    def _said(self, text: TextTurns[Any], piece: Piece[Any], now_s: float) -> None:
        if piece.audio_s > 0 and not text.over:
            handed = text.playback.hand_over(piece.audio_s, now_s)
            self._telemetry.said(piece.audio_s, handed.first_s, handed.late_s)

    def _dropped(self, turn: Future[None]) -> None:
        if turn.cancelled():
            with self._lock:
                self._end_one()

    def _end_one(self) -> None:
        """Turns are alike: for one that will not be, one text ends."""
        text = self._waiting.take()
        if text is not None:
            text.made([], RuntimeError("the server ends"))


class TextTurns[T]:
    """A text that is being said: pieces for the event loop. `SpeakingTurns` calls methods with its lock held, but for
    `next` and `leave`.

    Args:
        turns: of the server.
        pieces: each is made in a turn.
        playback: of the client.
    """

    def __init__(self, turns: SpeakingTurns, pieces: Iterator[Piece[T]], playback: Playback) -> None:
        self.pieces, self.playback = pieces, playback
        self._turns, self._loop = turns, asyncio.get_running_loop()
        self._made: deque[Piece[T]] = deque()
        self._news = asyncio.Event()
        self._rests, self._ended = False, False
        self._error: Exception | None = None

    @property
    def over(self) -> bool:
        """Whether there are no more turns of it."""
        return self._ended

    async def next(self) -> T | None:
        """The next piece; None at the end of the text.

        Raises:
            Exception: of the text's own, behind the pieces before it.
        """
        while True:
            piece = self._turns.take(self)
            if piece is not None:
                return piece.value
            if self._ended:
                if self._error is not None:
                    raise self._error
                return None
            self._news.clear()
            await self._news.wait()

    def leave(self) -> None:
        """Take no more of it."""
        self._turns.leave(self)

    def made(self, pieces: Sequence[Piece[T]], error: Exception | None) -> None:
        """A turn is over: pieces, an error behind them, or the end of the text."""
        if not self._ended:
            self._made += pieces
            self._ended, self._error = error is not None or not pieces, error
            self._rests = not self._ended and len(self._made) >= _AHEAD
            if not self._ended and not self._rests:
                self._turns.queue(self)
        with suppress(RuntimeError):  # the loop has been closed
            self._loop.call_soon_threadsafe(self._news.set)

    def taken(self) -> Piece[T] | None:
        """The next piece that is ready."""
        piece = self._made.popleft() if self._made else None
        if self._rests and len(self._made) < _AHEAD:
            self._rests = False
            self._turns.queue(self)
        return piece

    def left(self) -> Iterator[Piece[T]]:
        """Nobody takes the pieces any more; returns those that were to come."""
        pieces, self.pieces = self.pieces, iter(())
        self._made.clear()
        self._ended, self._rests = True, False
        return pieces
