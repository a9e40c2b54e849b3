"""Who writes a part when those who read are behind: CTC, instead of the label decoder that would write it too late."""

from __future__ import annotations

from collections.abc import Sequence

_MEMORY_S = 120.0
"""Of audio, over which the decoder's speed is measured."""


class Fallback:
    """Decides from how fast the decoder has been lately, and from what waits.

    A part that waits alone is always the decoder's, however slow it is.

    Args:
        most_s: how long it may take until all parts that wait have been written.
        readers: parts that are read at once.
    """

    def __init__(self, most_s: float, readers: int) -> None:
        self._most_s, self._readers = most_s, max(readers, 1)
        self._audio_s = self._busy_s = 0.0

    @property
    def real_time_factor(self) -> float:
        """Time that a reader spends on a second of speech; 0 before it is known."""
        return self._busy_s / self._audio_s if self._audio_s else 0.0

    def measure(self, audio_s: float, busy_s: float) -> None:
        """The decoder has written so much speech, and it took a reader so long."""
        kept = 0.5 ** (audio_s / _MEMORY_S)
        self._audio_s, self._busy_s = self._audio_s * kept + audio_s, self._busy_s * kept + busy_s

    def quick(self, waiting_s: Sequence[float]) -> bool:
        """Whether CTC writes the first of the parts that wait, given by their seconds."""
        expected_s = self.real_time_factor * sum(waiting_s) / self._readers
        return len(waiting_s) > self._readers and expected_s > self._most_s
