"""Files and arrays to mono float32 samples at 16 kHz. Every refusal names the file and what was found in it."""

from __future__ import annotations

import contextlib
import io
import struct
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
_UNKNOWN_FRAMES = 1 << 60
_UNKNOWN_BYTES = 0x7FFF_0000
"""RIFF sizes from here on are what writers to a pipe leave behind (0x7FFFFFFF, 0xFFFFFFFF and near them)."""
_CONTAINERS = (
    "mov,matroska,webm,asf,avi,flv,mpegts,mpeg,aac,ac3,eac3,dts,amr,caf,wav,w64,aiff,au,ogg,mp3,flac,wv,ape,tta,tak,rm"
)
"""FFmpeg demuxers that hold audio themselves. Playlists (concat, hls, dash) are left out: they open other files."""


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a container says of itself."""

    duration_s: float
    rate: int
    channels: int
    format: str


class _DamageError(Exception):
    """Decoding stopped after so many frames."""

    def __init__(self, frames: int, detail: str) -> None:
        super().__init__(frames, detail)
        self.frames = frames
        self.detail = detail


@dataclass(frozen=True, slots=True)
class _Opened:
    """A source as blocks of interleaved float32 samples `(n, channels)`."""

    info: AudioInfo
    blocks: Iterator[np.ndarray]
    promised_s: float = 0.0
    """What the header says there is; 0 where it cannot be relied on."""


def load_audio(
    source: Source, *, channel: int | None = None, max_s: float | None = None, name: str | None = None
) -> np.ndarray:
    """All samples of a file: `(n,)` float32, mono, 16 kHz.

    Args:
        source: path, bytes of a file, or an open binary file.
        channel: take this channel (from 0) instead of the mean of all.
        max_s: seconds that are decoded at most; more is refused as soon as it is met, not once all is decoded.
        name: what errors call the source; None: its path, or the name of an open file.

    Raises:
        AudioError: not there, not audio, empty, cut off, not finite, longer than `max_s`, or without that channel.
    """
    blocks = list(stream_audio(source, channel=channel, max_s=max_s, name=name))
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def stream_audio(
    source: Source,
    *,
    block_s: float = 30.0,
    channel: int | None = None,
    max_s: float | None = None,
    name: str | None = None,
) -> Iterator[np.ndarray]:
    """The same samples as `load_audio` in pieces of about `block_s` seconds; memory does not grow with length."""
    name = name or _name(source)
    opened = _open(source, name, block_s)
    info = opened.info
    if channel is not None and not 0 <= channel < info.channels:
        raise AudioError(
            f"has no channel {channel}, it has {info.channels}", where=name, fix="Channels are counted from 0."
        )
    resampler = soxr.ResampleStream(info.rate, SAMPLE_RATE, 1, dtype="float32") if info.rate != SAMPLE_RATE else None
    received = produced = 0
    damage: _DamageError | None = None
    try:
        for block in opened.blocks:
            _check_finite(block, received, info.rate, name)
            received += len(block)
            if max_s is not None and received > max_s * info.rate:
                raise AudioError(f"has more than {max_s:g} s", where=name, fix="Cut it.")
            mono = np.ascontiguousarray(_mono(block, channel))
            samples = resampler.resample_chunk(mono) if resampler is not None else mono
            if len(samples):
                produced += len(samples)
                yield samples
    except _DamageError as error:
        damage = error
    _check_complete(opened, received, damage, name)
    rest = resampler.resample_chunk(np.empty(0, np.float32), last=True) if resampler is not None else np.empty(0)
    if produced + len(rest) == 0:
        raise AudioError(f"has no samples at {SAMPLE_RATE} Hz, only {received} at {info.rate} Hz", where=name)
    if len(rest):
        yield rest


def probe(source: Source) -> AudioInfo:
    """Duration, rate, channels and format, from the header. Raises AudioError as `load_audio`."""
    return _open(source, _name(source), 1.0).info


def to_mono_16k(samples: np.ndarray, rate: int, channel: int | None = None) -> np.ndarray:
    """An array `(n,)` or `(n, channels)` at `rate` Hz to `(n',)` float32, mono, 16 kHz.

    Floats are taken as they are, signed integers (int16, int32) as fractions of full scale.

    Raises:
        AudioError: empty, of another shape or type, not finite, or without that channel.
    """
    block = samples[:, None] if samples.ndim == 1 else samples
    if np.issubdtype(block.dtype, np.signedinteger):
        block = block.astype(np.float32) / np.float32(-float(np.iinfo(block.dtype).min))
    elif not np.issubdtype(block.dtype, np.floating):
        raise AudioError(f"samples are {block.dtype}, expected floats or signed integers", where="array")
    block = block.astype(np.float32, copy=False)
    if rate <= 0:
        raise AudioError(f"rate is {rate} Hz, expected more than 0", where="array")
    if block.ndim != 2 or not block.size:
        raise AudioError(f"samples have shape {np.shape(samples)}, expected (n,) or (n, channels)", where="array")
    if channel is not None and not 0 <= channel < block.shape[1]:
        raise AudioError(f"has no channel {channel}, it has {block.shape[1]}", where="array")
    _check_finite(block, 0, rate, "array")
    mono = np.ascontiguousarray(_mono(block, channel))
    if rate == SAMPLE_RATE:
        return mono
    resampled = np.asarray(soxr.resample(mono, rate, SAMPLE_RATE), dtype=np.float32)
    if not len(resampled):
        raise AudioError(f"{len(mono)} samples at {rate} Hz are less than one at {SAMPLE_RATE} Hz", where="array")
    return resampled


def _mono(block: np.ndarray, channel: int | None) -> np.ndarray:
    if block.shape[1] == 1:
        return block[:, 0]
    return block[:, channel] if channel is not None else block.mean(axis=1, dtype=np.float32)


def _check_complete(opened: _Opened, received: int, damage: _DamageError | None, name: str) -> None:
    read_s = max(received, damage.frames if damage is not None else 0) / opened.info.rate
    if opened.promised_s - read_s > _TRUNCATION_S:
        raise AudioError(
            f"is cut off: {read_s:.2f} s of {opened.promised_s:.2f} s can be read",
            where=name,
            fix="Copy or download it again.",
        ) from damage
    if damage is not None:
        raise AudioError(
            f"is damaged after {read_s:.2f} s: {damage.detail}", where=name, fix="Encode or copy it again."
        ) from damage
    if received == 0:
        raise AudioError("has no samples", where=name)


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
            raise AudioError("has no samples, the file is empty (0 bytes)", where=name)
        file: str | BinaryIO = str(path)
    else:
        file = io.BytesIO(source) if isinstance(source, bytes) else source
        if not file.seekable():
            file = io.BytesIO(file.read())
        file.seek(0)
        if not file.read(1):
            raise AudioError("has no samples, there are 0 bytes", where=name)
        file.seek(0)
    try:
        opened = _open_soundfile(file, block_s)
        return opened if opened is not None else _open_av(file, name, block_s)
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


def _open_soundfile(file: str | BinaryIO, block_s: float) -> _Opened | None:
    """None for a stream of unknown length (FLAC written to a pipe), which libsndfile cannot position in."""
    promised_s, counted = _wav_seconds(file), _counts_mp3_frames(file)
    sound = soundfile.SoundFile(file)
    rate, kind = int(sound.samplerate), str(sound.format).lower()
    if len(sound) >= _UNKNOWN_FRAMES:
        sound.close()
        if not isinstance(file, str):
            file.seek(0)
        return None
    info = AudioInfo(len(sound) / rate, rate, int(sound.channels), kind)
    if kind == "flac" or counted:
        promised_s = info.duration_s

    def blocks() -> Iterator[np.ndarray]:
        with sound:
            try:
                while len(block := sound.read(max(1, int(block_s * rate)), dtype="float32", always_2d=True)):
                    yield block
            except soundfile.LibsndfileError as error:
                raise _DamageError(sound.tell(), error.error_string.rstrip(".")) from error

    return _Opened(info, blocks(), promised_s)


def _wav_seconds(file: str | BinaryIO) -> float:
    """Seconds that a WAV header promises, 0.0 if it is none or does not say; libsndfile quietly takes what is there."""
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(Path(file).open("rb")) if isinstance(file, str) else file
        stack.callback(stream.seek, 0)
        if stream.read(4) != b"RIFF" or stream.read(8)[4:] != b"WAVE":
            return 0.0
        bytes_per_s = 0
        while len(header := stream.read(8)) == 8:
            kind, size = struct.unpack("<4sI", header)
            if kind == b"data":
                return float(size / bytes_per_s) if bytes_per_s and size < _UNKNOWN_BYTES else 0.0
            start = stream.tell()
            if kind == b"fmt " and len(body := stream.read(12)) == 12:
                bytes_per_s = struct.unpack("<8xI", body)[0]
            stream.seek(start + size + size % 2)
        return 0.0


def _counts_mp3_frames(file: str | BinaryIO) -> bool:
    """Whether an MP3 begins with the frame that says how many follow (Xing's tag); otherwise its length is a guess."""
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(Path(file).open("rb")) if isinstance(file, str) else file
        stack.callback(stream.seek, 0)
        head = stream.read(10)
        if head[:3] == b"ID3" and len(head) == 10:  # its size: four bytes of seven bits
            size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
            stream.seek(size + 10)
            head = stream.read(4)
        frame = head + stream.read(200)
        return frame[:1] == b"\xff" and (b"Xing" in frame or b"Info" in frame)


def _open_av(file: str | BinaryIO, name: str, block_s: float) -> _Opened:
    container = av.open(file, mode="r", options={"format_whitelist": _CONTAINERS})
    if not container.streams.audio:
        container.close()
        raise AudioError("holds no audio stream", where=name)
    stream = container.streams.audio[0]
    if stream.codec_context is None or not stream.rate or not stream.codec_context.channels:
        container.close()
        raise AudioError("holds audio of an unknown kind", where=name)
    rate, channels = int(stream.rate), int(stream.codec_context.channels)
    duration = (container.duration or 0) / av.time_base
    if stream.duration and stream.time_base:
        duration = float(stream.duration * stream.time_base)
    resampler = av.AudioResampler(format="flt", rate=rate)

    def blocks() -> Iterator[np.ndarray]:
        with container:
            waiting: list[np.ndarray] = []
            count = total = 0
            try:
                for frame in container.decode(stream):
                    for part in resampler.resample(frame):
                        waiting.append(part.to_ndarray().reshape(-1, channels))
                        count += len(waiting[-1])
                        total += len(waiting[-1])
                    if count >= block_s * rate:
                        yield np.concatenate(waiting)
                        waiting, count = [], 0
            except av.error.FFmpegError as error:
                raise _DamageError(total, str(error)) from error
            if waiting:
                yield np.concatenate(waiting)

    return _Opened(AudioInfo(duration, rate, channels, str(container.format.name)), blocks())
