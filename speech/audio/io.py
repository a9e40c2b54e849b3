"""Files and arrays to mono float32 samples at 16 kHz. Every refusal names the file and what was found in it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import soundfile
import soxr

from speech.errors import AudioError

SAMPLE_RATE = 16_000
"""Hz. Everything behind this file has this rate."""

Source = str | Path | bytes | BinaryIO
_TRUNCATION_S = 0.5


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a container says of itself."""

    duration_s: float
    rate: int
    channels: int
    format: str


@dataclass(frozen=True, slots=True)
class _Opened:
    """A source as blocks of interleaved float32 samples `(n, channels)`."""

    info: AudioInfo
    blocks: Iterator[np.ndarray]


def load_audio(source: Source, *, channel: int | None = None) -> np.ndarray:
    """All samples of a file: `(n,)` float32, mono, 16 kHz.

    Args:
        source: path, bytes of a file, or an open binary file.
        channel: take this channel (from 0) instead of the mean of all.

    Raises:
        AudioError: not there, not audio, empty, cut off, not finite, or without that channel.
    """
    blocks = list(stream_audio(source, channel=channel))
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def stream_audio(source: Source, *, block_s: float = 30.0, channel: int | None = None) -> Iterator[np.ndarray]:
    """The same samples as `load_audio` in pieces of about `block_s` seconds; memory does not grow with length."""
    name = _name(source)
    opened = _open(source, name, block_s)
    info = opened.info
    if channel is not None and not 0 <= channel < info.channels:
        raise AudioError(
            f"has no channel {channel}, it has {info.channels}", where=name, fix="Channels are counted from 0."
        )
    resampler = soxr.ResampleStream(info.rate, SAMPLE_RATE, 1, dtype="float32") if info.rate != SAMPLE_RATE else None
    received = 0
    try:
        for block in opened.blocks:
            _check_finite(block, received, info.rate, name)
            received += len(block)
            mono = np.ascontiguousarray(_mono(block, channel))
            samples = resampler.resample_chunk(mono) if resampler is not None else mono
            if len(samples):
                yield samples
    except (soundfile.LibsndfileError, av.error.FFmpegError) as error:
        raise AudioError(
            f"is damaged after {received / info.rate:.2f} s: {error}", where=name, fix="Encode or copy it again."
        ) from error
    if received == 0:
        raise AudioError("has no samples", where=name)
    if info.duration_s - received / info.rate > _TRUNCATION_S:
        raise AudioError(
            f"is cut off: {received / info.rate:.2f} s of {info.duration_s:.2f} s can be read",
            where=name,
            fix="Copy or download it again.",
        )
    if resampler is not None:
        yield resampler.resample_chunk(np.empty(0, np.float32), last=True)


def probe(source: Source) -> AudioInfo:
    """Duration, rate, channels and format, from the header. Raises AudioError as `load_audio`."""
    return _open(source, _name(source), 1.0).info


def to_mono_16k(samples: np.ndarray, rate: int, channel: int | None = None) -> np.ndarray:
    """An array `(n,)` or `(n, channels)` at `rate` Hz to `(n',)` float32, mono, 16 kHz.

    Raises:
        AudioError: empty, of another shape, not finite, or without that channel.
    """
    block = np.asarray(samples, dtype=np.float32)
    block = block[:, None] if block.ndim == 1 else block
    if block.ndim != 2 or not len(block):
        raise AudioError(f"samples have shape {np.shape(samples)}, expected (n,) or (n, channels)", where="array")
    if channel is not None and not 0 <= channel < block.shape[1]:
        raise AudioError(f"has no channel {channel}, it has {block.shape[1]}", where="array")
    _check_finite(block, 0, rate, "array")
    mono = np.ascontiguousarray(_mono(block, channel))
    return mono if rate == SAMPLE_RATE else soxr.resample(mono, rate, SAMPLE_RATE)


def _mono(block: np.ndarray, channel: int | None) -> np.ndarray:
    if block.shape[1] == 1:
        return block[:, 0]
    return block[:, channel] if channel is not None else block.mean(axis=1, dtype=np.float32)


def _check_finite(block: np.ndarray, received: int, rate: int, name: str) -> None:
    if np.isfinite(block).all():
        return
    first = int(np.flatnonzero(~np.isfinite(block).all(axis=1))[0]) + received
    raise AudioError(
        f"sample {first} ({first / rate:.3f} s) is not a finite number", where=name, fix="Write the file again."
    )


def _name(source: Source) -> str:
    if isinstance(source, str | Path):
        return str(source)
    return f"<{len(source)} bytes>" if isinstance(source, bytes) else str(getattr(source, "name", "<stream>"))


def _open(source: Source, name: str, block_s: float) -> _Opened:
    if isinstance(source, str | Path):
        path = Path(source)
        if path.is_dir():
            raise AudioError("is a directory, expected a file", where=name)
        if not path.is_file():
            raise AudioError("no such file", where=name)
        if path.stat().st_size == 0:
            raise AudioError("is empty (0 bytes)", where=name)
        file: str | BinaryIO = str(path)
    else:
        file = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        return _open_soundfile(file, block_s)
    except soundfile.LibsndfileError as first:
        if not isinstance(file, str):
            file.seek(0)
        try:
            return _open_av(file, name, block_s)
        except (av.error.FFmpegError, ValueError, IndexError) as error:
            raise AudioError(
                f"is not audio that can be read ({first.error_string.rstrip('.')})",
                where=name,
                fix="Give wav, flac, ogg, opus, mp3, m4a, mp4, webm or another common format.",
            ) from error


def _open_soundfile(file: str | BinaryIO, block_s: float) -> _Opened:
    sound = soundfile.SoundFile(file)
    rate = int(sound.samplerate)
    info = AudioInfo(len(sound) / rate, rate, int(sound.channels), str(sound.format).lower())

    def blocks() -> Iterator[np.ndarray]:
        with sound:
            while len(block := sound.read(max(1, int(block_s * rate)), dtype="float32", always_2d=True)):
                yield block

    return _Opened(info, blocks())


def _open_av(file: str | BinaryIO, name: str, block_s: float) -> _Opened:
    container = av.open(file)
    if not container.streams.audio:
        container.close()
        raise AudioError("holds no audio stream", where=name)
    stream = container.streams.audio[0]
    rate, channels = int(stream.rate), int(stream.codec_context.channels)
    duration = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
    resampler = av.AudioResampler(format="flt", rate=rate)

    def blocks() -> Iterator[np.ndarray]:
        with container:
            waiting: list[np.ndarray] = []
            count = 0
            for frame in container.decode(stream):
                for part in resampler.resample(frame):
                    waiting.append(part.to_ndarray().reshape(-1, channels))
                    count += len(waiting[-1])
                if count >= block_s * rate:
                    yield np.concatenate(waiting)
                    waiting, count = [], 0
            if waiting:
                yield np.concatenate(waiting)

    return _Opened(AudioInfo(duration, rate, channels, str(container.format.name)), blocks())
