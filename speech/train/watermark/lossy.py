"""Speech through a lossy codec: encoded and decoded by FFmpeg's libraries, aligned with what went in."""

from __future__ import annotations

import io
from enum import StrEnum

import av
import numpy as np
import soxr

from speech.audio.input.files import load_audio

_OPUS_RATE = 48000
_FRAME = 1024
_LEAST = 2048
"""Samples below which encoders do not write a whole file; shorter audio is padded."""


class LossyFormat(StrEnum):
    """A codec that people send speech with."""

    mp3 = "mp3"
    opus = "opus"


_CODECS = {LossyFormat.mp3: ("mp3", "libmp3lame"), LossyFormat.opus: ("ogg", "libopus")}


def through_codec(samples: np.ndarray, rate: int, kind: LossyFormat, bit_rate: int) -> np.ndarray:
    """Encode and decode `samples (n,)` float32 at `rate` Hz: `(n,)` float32 at the same places.

    Args:
        samples: speech.
        rate: one that MP3 has; Opus is encoded at 48 kHz.
        kind: the codec.
        bit_rate: bit/s.
    """
    coded_rate = _OPUS_RATE if kind == LossyFormat.opus else rate
    coded = samples if coded_rate == rate else np.asarray(soxr.resample(samples, rate, coded_rate), dtype=np.float32)
    padded = np.pad(coded, (0, max(_LEAST - len(coded), 0)))
    heard = load_audio(_encoded(padded, coded_rate, kind, bit_rate), name=kind.value, rate=rate)
    return np.pad(heard[: len(samples)], (0, max(len(samples) - len(heard), 0)))


def _encoded(samples: np.ndarray, rate: int, kind: LossyFormat, bit_rate: int) -> bytes:
    container_format, codec = _CODECS[kind]
    file = io.BytesIO()
    with av.open(file, "w", format=container_format) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        stream.bit_rate = bit_rate
        resampler = av.AudioResampler(format=stream.format.name, layout="mono", rate=rate)
        for start in range(0, len(samples), _FRAME):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + _FRAME], format="flt", layout="mono")
            frame.sample_rate, frame.pts = rate, start
            for converted in resampler.resample(frame):
                container.mux(stream.encode(converted))
        container.mux(stream.encode(None))
    return file.getvalue()
