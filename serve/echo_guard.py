"""What is played while the microphone hears: the reference of echo cancellation."""

from __future__ import annotations

import numpy as np
import soxr

from speech.audio import SAMPLE_RATE
from speech.audio.echo import EchoCanceller


class EchoGuard:
    """Takes our voice out of what the microphone hears. What is written is taken as played from then on; how much later
    it sounds, the canceller finds out."""

    def __init__(self) -> None:
        self._canceller = EchoCanceller()
        self._state = self._canceller.init_state()
        self._played = np.zeros(0, np.float32)
        self._resampler: soxr.ResampleStream | None = None

    def play(self, samples: np.ndarray, rate: int) -> None:
        """Samples `(n,)` float32 are played behind those before."""
        if self._resampler is None:
            self._resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
        self._played = np.concatenate([self._played, self._resampler.resample_chunk(samples)])

    def forget(self) -> None:
        """What has not been played is dropped."""
        self._played, self._resampler = np.zeros(0, np.float32), None

    def clean(self, heard: np.ndarray) -> np.ndarray:
        """Samples `(n,)` of the microphone, float32 at 16 kHz, without our voice; they come 16 ms later."""
        count = len(heard)
        reference = np.pad(self._played[:count], (0, max(count - len(self._played), 0)))
        self._played = self._played[count:]
        cleaned, self._state = self._canceller.step(heard, reference, self._state)
        return cleaned
