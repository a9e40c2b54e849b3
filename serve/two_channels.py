"""A recording of a dialogue: the user in the left channel, our voice in the right one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
import soxr

from speech.audio import SAMPLE_RATE
from speech.files import replacing


class TwoChannels:
    """Collects both sides. Time is that of the user's audio."""

    def __init__(self) -> None:
        self._user: list[np.ndarray] = []
        self._voice: list[tuple[float, np.ndarray]] = []
        self._user_samples, self._rate, self._end_s = 0, SAMPLE_RATE, 0.0

    @property
    def seconds(self) -> float:
        """Length so far."""
        return self._user_samples / SAMPLE_RATE

    def heard(self, samples: np.ndarray) -> None:
        """Add samples `(n,)` of the user, at 16 kHz."""
        self._user.append(samples)
        self._user_samples += len(samples)

    def said(self, samples: np.ndarray, rate: int) -> None:
        """Add samples `(n,)` of our voice that are played now, or behind those before."""
        self._rate = rate
        begin_s = max(self._end_s, self.seconds)
        self._voice.append((begin_s, samples))
        self._end_s = begin_s + len(samples) / rate

    def silenced(self) -> None:
        """Our voice stops now."""
        now_s = self.seconds
        self._voice = [
            (begin_s, samples[: max(round((now_s - begin_s) * self._rate), 0)]) for begin_s, samples in self._voice
        ]
        self._end_s = min(self._end_s, now_s)

    def write(self, path: Path) -> None:
        """Write a WAV file at the rate of our voice, whole or not at all.

        Raises:
            FileError: if it cannot be written.
        """
        user = np.concatenate([np.zeros(0, np.float32), *self._user])
        left = soxr.resample(user, SAMPLE_RATE, self._rate)
        length = max(len(left), round(self._end_s * self._rate) + 1)
        both = np.zeros((length, 2), np.float32)
        both[: len(left), 0] = left
        for begin_s, samples in self._voice:
            first = round(begin_s * self._rate)
            both[first : first + len(samples), 1] = samples[: length - first]
        with replacing(path) as partial:
            soundfile.write(partial, both, self._rate, format="WAV", subtype="PCM_16")
