"""Types shared by all decoders: pieces of samples, file information and decoding errors."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import av
import numpy as np


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """Information from a file's header."""

    duration_s: float
    rate: int
    """Hz."""
    channels: int
    format: str
    tracks: int = 1
    """Number of audio tracks; one is read."""


@dataclass(frozen=True, slots=True)
class AudioPiece:
    """Samples `(n, channels)` float32 at `rate` Hz. Channels and rate may change from one piece to the next."""

    samples: np.ndarray
    rate: int


@dataclass(frozen=True, slots=True)
class OpenedAudio:
    """An opened file, or one link of a chained file, before decoding."""

    info: AudioInfo
    pieces: Generator[AudioPiece]
    """Decoded pieces to the end; raises DamageError where decoding fails."""
    promised_s: float = 0.0
    """Duration in seconds according to the header; 0 if the header is unreliable."""


class DamageError(Exception):
    """Decoding stopped because the data is damaged; the message is the reason."""


class CutOffError(DamageError):
    """The data is truncated."""


def samples_of(frame: av.AudioFrame) -> np.ndarray:
    """Convert a frame of any sample format to `(n, channels)` float32, integers to fractions of full scale."""
    values = frame.to_ndarray()
    channels = frame.layout.nb_channels
    interleaved = values.T if frame.format.is_planar else values.reshape(-1, channels)
    if interleaved.dtype == np.uint8:
        return (interleaved.astype(np.float32) - np.float32(128)) / np.float32(128)
    if interleaved.dtype.kind == "i":
        return interleaved.astype(np.float32) / np.float32(1 << 8 * interleaved.itemsize - 1)
    return interleaved.astype(np.float32)
