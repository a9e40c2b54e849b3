"""Listening for a watermark in a recording that comes in pieces, which may be played faster or slower than it was."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import soxr
import torch

from speech.models.watermark import Watermark
from speech.nn.watermark.detector import Detected, DetectorState

SPEEDS = (0.89, 0.943, 1.0, 1.06, 1.124, 1.191)
"""Speeds at which recordings are listened to. Each reaches about 4 % to either side, and the next is 6 % faster."""
STEP_S = 0.1
"""Seconds of which bits are added up."""
_MOST = 3.0
"""Logit of a bit that one frame gives at most: no moment decides alone."""


class MarkLogits(NamedTuple):
    """What the detector says of one recording at one speed. Times are those of the recording at its original speed."""

    speed: float
    """How many times as fast as the original the recording was taken to be."""
    frame_s: float
    """Seconds per frame."""
    presence: np.ndarray
    """`(frames,)` logits: whether each frame is marked."""
    bits: np.ndarray
    """`(steps, 16)`: logits of the bits, limited and integrated over each tenth of a second."""

    @property
    def step(self) -> int:
        """Frames of a step."""
        return frames_per_step(self.frame_s)

    @property
    def duration_s(self) -> float:
        """Seconds of the recording as it was given."""
        return len(self.presence) * self.frame_s / self.speed

    def votes(self) -> np.ndarray:
        """`(steps, 16)`: the bits weighted by the probability that there is a mark."""
        starts = np.arange(0, len(self.presence), self.step)
        counts = np.minimum(self.step, len(self.presence) - starts)
        presence = np.add.reduceat(self.presence, starts) / counts
        return np.asarray(self.bits / (1 + np.exp(-presence))[:, None])


def frames_per_step(frame_s: float) -> int:
    """Frames of which bits are added up."""
    return max(round(STEP_S / frame_s), 1)


class MarkListener:
    """Listens to one recording at one speed; it keeps a presence per frame, and bits of each tenth of a second.

    Args:
        model: its detector listens.
        speed: how many times as fast as the original the recording is taken to be; its samples are stretched by that.
    """

    def __init__(self, model: Watermark, speed: float = 1.0) -> None:
        self._detector, self._device = model.detector, model.device
        self._speed, self._frame_s, self._hop = speed, model.frame_s, model.config.hop
        self._step = frames_per_step(model.frame_s)
        rate = model.sample_rate
        self._resampler = None if speed == 1 else soxr.ResampleStream(rate, rate * speed, 1, "float32")
        self._state: DetectorState = self._detector.begin(1)
        self._count, self._early = 0, self._detector.delay_frames
        self._presence: list[np.ndarray] = []
        self._bits: list[np.ndarray] = []
        self._open: np.ndarray | None = None

    def push(self, samples: np.ndarray) -> None:
        """Hear `samples (n,)` float32 at the rate of the model."""
        self._hear(samples if self._resampler is None else self._resampler.resample_chunk(samples))

    def finish(self) -> MarkLogits:
        """All that was heard, after the last samples; at least one frame has to have been pushed."""
        if self._resampler is not None:
            self._hear(self._resampler.resample_chunk(np.zeros(0, np.float32), last=True))
        rest = -self._count % self._hop + self._detector.delay_frames * self._hop
        self._hear(np.zeros(rest, np.float32))
        if self._open is not None and len(self._open):
            self._bits.append(self._open.sum(axis=0, keepdims=True))
        bits = np.concatenate(self._bits) * np.float32(self._frame_s)
        return MarkLogits(self._speed, self._frame_s, np.concatenate(self._presence), bits)

    def _hear(self, samples: np.ndarray) -> None:
        if not len(samples):
            return
        self._count += len(samples)
        row = torch.from_numpy(np.ascontiguousarray(samples, np.float32))[None].to(self._device)
        with torch.inference_mode():
            found, self._state = self._detector.step(row, self._state)
        self._take(found)

    def _take(self, found: Detected) -> None:
        early = min(self._early, found.presence.shape[1])
        self._early -= early
        self._presence.append(found.presence[0, early:].cpu().numpy())
        bits = found.bits[0, early:].clamp(-_MOST, _MOST).cpu().numpy()
        bits = bits if self._open is None else np.concatenate([self._open, bits])
        whole = len(bits) - len(bits) % self._step
        self._bits.append(bits[:whole].reshape(-1, self._step, bits.shape[1]).sum(axis=1))
        self._open = bits[whole:].copy()
