"""What every decoder gives: pieces of samples, and what is known of the file before it is decoded."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import av
import numpy as np


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a container says of itself."""

    duration_s: float
    rate: int
    """Hz."""
    channels: int
    format: str
    tracks: int = 1
    """Of audio; one is read."""


@dataclass(frozen=True, slots=True)
class AudioPiece:
    """Samples `(n, channels)` float32 at `rate` Hz. Both may change from one piece to the next."""

    samples: np.ndarray
    rate: int


@dataclass(frozen=True, slots=True)
class OpenedAudio:
    """A file, or one link of a chain of them, before it is decoded."""

    info: AudioInfo
    pieces: Generator[AudioPiece]
    """To the end; DamageError where it cannot be decoded further."""
    promised_s: float = 0.0
    """What the header says there is; 0 where it cannot be relied on."""
    whole: float = 1.0
    """Bytes that should be there for each that is."""


class DamageError(Exception):
    """Decoding has stopped: why."""


class CutOffError(DamageError):
    """The bytes end where more must follow."""


def samples_of(frame: av.AudioFrame) -> np.ndarray:
    """A frame of any sample format as `(n, channels)` float32, integers as fractions of full scale."""
    values = frame.to_ndarray()
    channels = frame.layout.nb_channels
    interleaved = values.T if frame.format.is_planar else values.reshape(-1, channels)
    if interleaved.dtype == np.uint8:
        return (interleaved.astype(np.float32) - np.float32(128)) / np.float32(128)
    if interleaved.dtype.kind == "i":
        return interleaved.astype(np.float32) / np.float32(1 << 8 * interleaved.itemsize - 1)
    return interleaved.astype(np.float32)
