"""Write audio as it is made: WAV, MP3, Opus, FLAC, AAC, or raw samples."""

from __future__ import annotations

import io
from types import TracebackType
from typing import IO, Any, Self

import av
import numpy as np

from speech.audio.input.pcm import Encoding, g711_values
from speech.choices import AudioEncoding
from speech.errors import AudioError

_BIT_RATE = 64_000


_CODECS = {
    AudioEncoding.wav: ("wav", "pcm_s16le"),
    AudioEncoding.mp3: ("mp3", "libmp3lame"),
    AudioEncoding.opus: ("ogg", "libopus"),
    AudioEncoding.flac: ("flac", "flac"),
    AudioEncoding.aac: ("adts", "aac"),
    AudioEncoding.pcm: ("s16le", "pcm_s16le"),
}
"""Container and codec of each, as FFmpeg names them."""
_LOSSY = {AudioEncoding.mp3, AudioEncoding.opus, AudioEncoding.aac}
MEDIA_TYPES = {
    AudioEncoding.wav: "audio/wav",
    AudioEncoding.mp3: "audio/mpeg",
    AudioEncoding.opus: "audio/ogg",
    AudioEncoding.flac: "audio/flac",
    AudioEncoding.aac: "audio/aac",
    AudioEncoding.pcm: "application/octet-stream",
}


def _code_book(law: Encoding) -> tuple[np.ndarray, np.ndarray]:
    """The codes of a law by rising value `(256,)`, and the borders between the values of neighbours `(255,)`."""
    values = g711_values(law)
    rising = np.sort(values)
    return np.argsort(values, kind="stable").astype(np.uint8), rising[:-1] + np.diff(rising) / 2


_CODE_BOOKS = {law: _code_book(law) for law in (Encoding.mulaw, Encoding.alaw)}


class AudioWriter:
    """Writes mono audio to an open binary file, piece by piece.

    In WAV and FLAC the header states the length, so it is written at the end: the file has to be seekable. Others can
    go to a pipe or a socket.

    Args:
        file: open for writing; it stays open.
        format: of the file.
        sample_rate: Hz.

    Raises:
        AudioError: if the format does not take the sample rate.
    """

    def __init__(self, file: IO[bytes], format: AudioEncoding, sample_rate: int) -> None:
        container, codec = _CODECS[format]
        rates = av.codec.Codec(codec, "w").audio_rates
        if rates and sample_rate not in rates:
            listed = ", ".join(str(rate) for rate in sorted(rates))
            raise AudioError(f"{format} at {sample_rate} Hz", fix=f"It takes {listed} Hz.")
        self._container = av.open(file, mode="w", format=container)
        stream: Any = self._container.add_stream(codec, rate=sample_rate, layout="mono")
        if format in _LOSSY:
            stream.bit_rate = _BIT_RATE
        self._stream, self._rate, self._samples = stream, sample_rate, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def write(self, samples: np.ndarray) -> None:
        """Append samples `(n,)` float32; what is louder than full scale is clipped."""
        if not len(samples):
            return
        frame = av.AudioFrame.from_ndarray(int16_samples(samples)[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = self._rate, self._samples
        self._samples += len(samples)
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def close(self) -> None:
        """Write what is left, and the header."""
        for packet in self._stream.encode(None):
            self._container.mux(packet)
        self._container.close()


def int16_samples(samples: np.ndarray) -> np.ndarray:
    """Samples `(n,)` float32 as int16, little-endian; what is louder than full scale is clipped."""
    return (samples.clip(-1, 1) * 32767).round().astype("<i2")


def mu_law_bytes(samples: np.ndarray) -> bytes:
    """Samples `(n,)` float32 as G.711 mu-law: to each the code whose value is nearest."""
    return _g711_bytes(samples, Encoding.mulaw)


def a_law_bytes(samples: np.ndarray) -> bytes:
    """Samples `(n,)` float32 as G.711 A-law: to each the code whose value is nearest."""
    return _g711_bytes(samples, Encoding.alaw)


def _g711_bytes(samples: np.ndarray, law: Encoding) -> bytes:
    codes, borders = _CODE_BOOKS[law]
    return codes[np.searchsorted(borders, samples)].tobytes()


def encoded(samples: np.ndarray, format: AudioEncoding, sample_rate: int) -> bytes:
    """A whole file of samples `(n,)` float32; errors as `AudioWriter`."""
    file = io.BytesIO()
    with AudioWriter(file, format, sample_rate) as writer:
        writer.write(samples)
    return file.getvalue()
