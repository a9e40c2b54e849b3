"""Fallback under overload: CTC writes a part if the label decoder would write it too late."""

from __future__ import annotations

from collections.abc import Sequence

_MEMORY_S = 120.0
"""Half-life of the measured speed of the decoder, in seconds of audio."""


class Fallback:
    """Decides from the recent speed of the decoder and the waiting parts.

    While at most `readers` parts wait, the decoder writes them, however slow it is.

    Args:
        most_s: longest time that the decoder may need for all waiting parts.
        readers: number of parts that are read in parallel.
    """

    def __init__(self, most_s: float, readers: int) -> None:
        self._most_s, self._readers = most_s, max(readers, 1)
        self._audio_s = self._busy_s = 0.0

    @property
    def real_time_factor(self) -> float:
        """Time that a reader spends per second of speech; 0 until it is measured."""
        return self._busy_s / self._audio_s if self._audio_s else 0.0

    def measure(self, audio_s: float, busy_s: float) -> None:
        """Record that the decoder has written `audio_s` of speech in `busy_s` of a reader's time."""
        kept = 0.5 ** (audio_s / _MEMORY_S)
        self._audio_s, self._busy_s = self._audio_s * kept + audio_s, self._busy_s * kept + busy_s

    def quick(self, waiting_s: Sequence[float]) -> bool:
        """Whether CTC writes the first waiting part; `waiting_s` is the duration of each."""
        expected_s = self.real_time_factor * sum(waiting_s) / self._readers
        return len(waiting_s) > self._readers and expected_s > self._most_s
