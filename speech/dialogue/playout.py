"""A reply's way to the listener: samples leave at the pace at which they are played, so that what has been heard is
known, and our voice can stop, wait and go on at any word.

Pure: times `now` are seconds of any clock that goes forward.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from speech.tts.speech_stream import SaidWord


class Playout:
    """One reply.

    Args:
        rate: Hz.
        lead_s: seconds of audio that may be with the listener and not played yet.

    Attributes:
        rate: Hz.
        finished: whether no more samples will come.
    """

    def __init__(self, rate: int, lead_s: float) -> None:
        self.rate, self._lead_s = rate, lead_s
        self._pieces: deque[np.ndarray] = deque()
        """Samples from the last word on that has not been heard to its end."""
        self._kept, self._made, self._sent = 0, 0, 0
        """Samples: where `_pieces` begins, how many there are in all, how many have left."""
        self._words: list[SaidWord] = []
        self._anchor: tuple[float, float] | None = None
        """A time and the second of the reply that was played then; None: nothing is played."""
        self._rest_s, self.finished = 0.0, False
        """Second at which it waits, while nothing is played."""

    def push(self, samples: np.ndarray, words: Sequence[SaidWord]) -> None:
        """Add samples `(n,)` float32, and words with times from the beginning of the reply."""
        if len(samples):
            self._pieces.append(samples)
            self._made += len(samples)
        self._words += words

    def finish(self) -> None:
        """No more samples will come."""
        self.finished = True

    @property
    def all_sent(self) -> bool:
        """Whether all samples have left, and no more will come."""
        return self.finished and self._sent == self._made

    @property
    def sent_s(self) -> float:
        """Seconds that have left."""
        return self._sent / self.rate

    def played_s(self, now: float) -> float:
        """Seconds of the reply that have been played."""
        if self._anchor is None:
            return self._rest_s
        at, second = self._anchor
        return min(self._sent / self.rate, second + max(now - at, 0.0))

    def take(self, now: float) -> np.ndarray:
        """The samples `(n,)` that leave now."""
        played_s = self.played_s(now)
        if self._anchor is None or played_s >= self._sent / self.rate:  # it begins, goes on, or had to wait
            self._anchor = now, played_s
        due = min(self._made, round((played_s + self._lead_s) * self.rate))
        samples = self._between(self._sent, due)
        self._sent = max(self._sent, due)
        self._forget(played_s)
        return samples

    def next_s(self, now: float, step_s: float) -> float | None:
        """When `step_s` of samples, or the last ones, may leave; None: not before more are pushed."""
        if self._anchor is None:
            return now if self._made > self._sent else None
        waiting_s = (self._made - self._sent) / self.rate
        if waiting_s <= 0.0:
            return None
        ahead_s = self._sent / self.rate - self.played_s(now)
        return now + max(0.0, ahead_s + min(step_s, waiting_s) - self._lead_s)

    def ends_s(self, now: float) -> float | None:
        """When all will have been played; None: not known."""
        if not self.all_sent:
            return None
        return now + self._made / self.rate - self.played_s(now)

    def over(self, now: float) -> bool:
        """Whether all has been played."""
        return self.all_sent and self.played_s(now) >= self._made / self.rate

    def hold(self, now: float, *, again: bool) -> None:
        """Let nothing leave until `take` is called again.

        Args:
            now: the time.
            again: the listener forgets what has not been played: it goes on with the word that was cut.
        """
        self._rest_s, self._anchor = self.played_s(now), None
        if again:
            cut = next((word for word in self._words if word.start_s < self._rest_s < word.end_s), None)
            self._rest_s = self._rest_s if cut is None else max(cut.start_s, self._kept / self.rate)
            self._sent = round(self._rest_s * self.rate)

    def heard(self, now: float) -> list[SaidWord]:
        """Words of which the listener has heard at least half."""
        played_s = self.played_s(now)
        return [word for word in self._words if (word.start_s + word.end_s) / 2 <= played_s and played_s > 0.0]

    def words_between(self, begin_s: float, end_s: float) -> list[SaidWord]:
        """Words that begin in a range of seconds, end exclusive."""
        return [word for word in self._words if begin_s <= word.start_s < end_s]

    def _between(self, first: int, last: int) -> np.ndarray:
        found, place = [np.zeros(0, np.float32)], self._kept
        for piece in self._pieces:
            found.append(piece[max(first - place, 0) : max(last - place, 0)])
            place += len(piece)
        return np.concatenate(found)

    def _forget(self, played_s: float) -> None:
        """Drop pieces that no word that may be said again lies in."""
        cut = next((word.start_s for word in self._words if word.end_s > played_s), played_s)
        needed = round(min(cut, played_s) * self.rate)
        while self._pieces and self._kept + len(self._pieces[0]) <= min(needed, self._sent):
            self._kept += len(self._pieces.popleft())
