"""Downmix to mono: the mean of all channels, or one channel while they cancel each other."""

from __future__ import annotations

import logging

import numpy as np

_log = logging.getLogger("speech.audio")
_FRAME_S = 0.02
_SHORT, _LONG = 0.8, 0.96
"""Decay per frame of the short and the long energy average: half-lives of 60 ms and a third of a second."""
_CANCELLED, _KEPT = 0.1, 0.5
_SILENCE = 1e-9
"""Mean square; -90 dB of full scale."""
_MEAN = -1


class Mixer:
    """Downmixes one stream of samples to mono.

    Energy is averaged over frames of 20 ms, counted from the start of the stream, with exponential decay. Let g be the
    energy of the mean of all channels over the mean energy of one channel, times the number of channels: equal channels
    have g = number of channels, unrelated ones 1, and a channel and its inverse 0. When g falls below 0.1 in the short
    average (half-life 60 ms), the loudest channel replaces the mean: the first one, unless another has twice its
    energy. When g rises above 0.5 in the long average (half-life a third of a second, restarted at the switch), the
    mean returns, so that noise in a pause does not bring it back at once. A decision applies from the next frame on:
    the mixer adds no delay, and its output does not depend on the division into blocks.

    Args:
        channels: number of channels.
        rate: in Hz.
        where: name of the stream in warnings.
        advice: appended to the warning, e.g. how to choose another channel.
    """

    def __init__(self, channels: int, rate: int, where: str, advice: str = "") -> None:
        self._channels = channels
        self._frame = max(1, round(_FRAME_S * rate))
        self._where, self._advice = where, advice
        self._started = np.empty((0, channels), np.float32)  # the incomplete frame
        self._short = np.zeros(channels + 1)  # energy of each channel, and of the mean
        self._long = self._short
        self._taken = _MEAN
        self._warned = False

    def mix(self, block: np.ndarray) -> np.ndarray:
        """Mix `(n, channels)` float32 to `(n,)`."""
        if self._channels == 1:
            return block[:, 0]
        mean = block.mean(axis=1, dtype=np.float32)
        known = np.concatenate([self._started, block])
        count = len(known) // self._frame
        whole = known[: count * self._frame].reshape(count, self._frame, self._channels).astype(np.float64)
        each = np.square(whole).mean(axis=1)
        mixed = np.square(whole.mean(axis=2)).mean(axis=1)
        begin, place = 0, self._frame - len(self._started)
        for number in range(count):
            taken = self._taken
            self._hear(each[number], float(mixed[number]))
            if self._taken != taken:  # from the next frame on
                self._fill(mean, block, taken, begin, place)
                begin = place
            place += self._frame
        self._fill(mean, block, self._taken, begin, len(block))
        self._started = known[count * self._frame :].copy()
        return mean

    @staticmethod
    def _fill(mean: np.ndarray, block: np.ndarray, taken: int, begin: int, end: int) -> None:
        if taken != _MEAN:
            mean[begin:end] = block[begin:end, taken]

    def _hear(self, each: np.ndarray, mixed: float) -> None:
        if not float(each.sum()) > _SILENCE:
            return
        heard = np.append(each, mixed)
        self._short, self._long = _SHORT * self._short + heard, _LONG * self._long + heard
        if self._taken == _MEAN and self._gain(self._short) < _CANCELLED:
            energy = self._short[:-1]
            loudest = int(np.argmax(energy))
            self._taken = loudest if energy[loudest] > 2 * energy[0] else 0
            self._long = self._short
            self._warn()
        elif self._taken != _MEAN and self._gain(self._long) > _KEPT:
            self._taken = _MEAN

    def _gain(self, energy: np.ndarray) -> float:
        return float(self._channels**2 * energy[-1] / energy[:-1].sum())

    def _warn(self) -> None:
        if not self._warned:
            found = "%s: channels are of opposite phase and cancel each other, took channel %d%s"
            _log.warning(found, self._where, self._taken, self._advice)
        self._warned = True
