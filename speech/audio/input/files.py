"""Read files and arrays as mono float32 samples, at 16 kHz unless asked otherwise.

Every error names the file and what was found in it. A file is read to its last byte or refused. Concatenated files are
read in sequence; sample rate and channels may change within a file. A truncated file raises an error where its bytes
reveal the truncation. Timing follows the container.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

import av
import numpy as np
import soundfile
import soxr

from speech.audio import SAMPLE_RATE
from speech.audio.input.demux import format_of, open_container
from speech.audio.input.downmix import Mixer
from speech.audio.input.formats.chained import links
from speech.audio.input.formats.link import Link
from speech.audio.input.formats.mpeg_audio import open_frames
from speech.audio.input.libsndfile import open_sound
from speech.audio.input.pieces import AudioInfo, AudioPiece, CutOffError, DamageError, OpenedAudio
from speech.audio.input.source import Slice, Source, name_of, opened
from speech.errors import AudioError, SpeechError
from speech.files import reason

__all__ = ["AudioInfo", "Source", "load_audio", "probe", "stream_audio", "to_mono_16k"]

_log = logging.getLogger("speech.audio")
_TRUNCATION_S, _NOTICED_S = 0.5, 0.02
_LOWEST_RATE = 1000
_ROUNDING_S = 1e-6
_SOUND_KINDS = frozenset({"wav", "aiff", "w64", "au", "caf", "ogg", ""})
_CHANNEL_ADVICE = "; --channel chooses"


def load_audio(
    source: Source,
    *,
    channel: int | None = None,
    track: int | None = None,
    max_s: float | None = None,
    name: str | None = None,
    rate: int = SAMPLE_RATE,
) -> np.ndarray:
    """Read all samples of a file: `(n,)` float32, mono.

    Args:
        source: path, bytes of a file, or an open binary file; a pipe is read to its end.
        channel: use this channel, from 0. None: the mean of all, or one channel while they cancel each other (see
            `Mixer`).
        track: read this audio track, from 0. None: the container's default track, else the first.
        max_s: maximum duration in seconds. A longer file raises as soon as the limit is passed, before it is fully
            decoded.
        name: name of the source in errors and warnings; None: its path, or the name of an open file.
        rate: sample rate of the result in Hz.

    Raises:
        AudioError: if the source is missing, not audio, empty, truncated, damaged, not finite, longer than `max_s`, or
            lacks that channel or track.
    """
    blocks = list(stream_audio(source, channel=channel, track=track, max_s=max_s, name=name, rate=rate))
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def stream_audio(
    source: Source,
    *,
    block_s: float = 30.0,
    channel: int | None = None,
    track: int | None = None,
    max_s: float | None = None,
    name: str | None = None,
    rate: int = SAMPLE_RATE,
) -> Iterator[np.ndarray]:
    """Yield the samples of `load_audio` in blocks of about `block_s` seconds; memory use does not grow with length."""
    name = name_of(source) if name is None else name
    mono = _MonoResampler(name, channel, rate)
    received_s, produced = 0.0, 0
    with opened(source, name) as (file, size):
        for piece in _joined(_pieces(file, size, name, block_s, track), block_s):
            _check_finite(piece.samples, round(received_s * piece.rate), piece.rate, name)
            received_s += len(piece.samples) / piece.rate
            if max_s is not None and received_s > max_s + _ROUNDING_S:
                raise AudioError(f"has more than {max_s:g} s", where=name, fix="Cut it.")
            for samples in mono.accept(piece):
                produced += len(samples)
                yield samples
    rest = mono.finish()
    if produced + len(rest) == 0:
        raise AudioError(f"has no samples at {rate} Hz, only {received_s * 1000:.3f} ms", where=name)
    if len(rest):
        yield rest


def probe(source: Source) -> AudioInfo:
    """Return duration, rate, channels and format without decoding; MP3 and AAC frames are counted.

    Raises:
        AudioError: if the file cannot be opened as audio, or its container shows that it is truncated.
    """
    name = name_of(source)
    with opened(source, name) as (file, size):
        found = [
            _open(Slice(file, link.start, link.end), link, name, 1.0, None, measured=True).info
            for link in links(file, size, name)
        ]
    return replace(found[0], duration_s=sum(info.duration_s for info in found))


def to_mono_16k(samples: np.ndarray, rate: int, channel: int | None = None) -> np.ndarray:
    """Convert an array `(n,)` or `(n, channels)` at `rate` Hz to `(n',)` float32, mono, 16 kHz.

    Floats are used unchanged; signed integers (int16, int32) are scaled to fractions of full scale.

    Raises:
        AudioError: if the array is empty, of another shape or type, not finite, or lacks that channel.
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
    mono = np.ascontiguousarray(_mixed(block, rate, channel))
    if rate == SAMPLE_RATE:
        return mono
    resampled = np.asarray(soxr.resample(mono, rate, SAMPLE_RATE), dtype=np.float32)
    if not len(resampled):
        raise AudioError(f"{len(mono)} samples at {rate} Hz are less than one at {SAMPLE_RATE} Hz", where="array")
    return resampled


def _mixed(block: np.ndarray, rate: int, channel: int | None) -> np.ndarray:
    return block[:, channel] if channel is not None else Mixer(block.shape[1], rate, "array").mix(block)


class _MonoResampler:
    """Converts pieces of any rate and channel count to mono at one rate.

    The resampler is renewed when the rate changes; there is one mixer per channel count and rate.
    """

    def __init__(self, name: str, channel: int | None, wanted: int) -> None:
        self._name, self._channel, self._wanted = name, channel, wanted
        self._rate = wanted
        self._resampler: soxr.ResampleStream | None = None
        self._mixers: dict[tuple[int, int], Mixer] = {}

    def accept(self, piece: AudioPiece) -> Iterator[np.ndarray]:
        """Yield samples `(n,)` of the piece, after the resampler's remainder if the rate changed."""
        if piece.rate != self._rate:
            if len(rest := self.finish()):
                yield rest
            if piece.rate < _LOWEST_RATE:
                found = f"has {piece.rate} samples a second, expected {_LOWEST_RATE} or more"
                raise AudioError(found, where=self._name)
            self._rate = piece.rate
            if piece.rate != self._wanted:
                self._resampler = soxr.ResampleStream(piece.rate, self._wanted, 1, dtype="float32")
        mono = np.ascontiguousarray(self._mix(piece))
        samples = mono if self._resampler is None else self._resampler.resample_chunk(mono)
        if len(samples):
            yield samples

    def finish(self) -> np.ndarray:
        """Flush the resampler: its remaining samples `(n,)`."""
        resampler, self._resampler = self._resampler, None
        empty = np.empty(0, np.float32)
        return empty if resampler is None else np.asarray(resampler.resample_chunk(empty, last=True))

    def _mix(self, piece: AudioPiece) -> np.ndarray:
        channels = piece.samples.shape[1]
        if self._channel is None:
            key = (channels, piece.rate)
            if key not in self._mixers:
                self._mixers[key] = Mixer(channels, piece.rate, self._name, _CHANNEL_ADVICE)
            return self._mixers[key].mix(piece.samples)
        if not 0 <= self._channel < channels:
            found = f"has no channel {self._channel}, it has {channels}"
            raise AudioError(found, where=self._name, fix="Channels are counted from 0.")
        return piece.samples[:, self._channel]


def _joined(pieces: Iterator[AudioPiece], block_s: float) -> Iterator[AudioPiece]:
    """Join small pieces up to `block_s` seconds, as long as rate and channels stay the same."""
    waiting: list[np.ndarray] = []
    count = rate = 0
    for piece in pieces:
        if waiting and (piece.rate != rate or piece.samples.shape[1] != waiting[0].shape[1]):
            yield AudioPiece(np.concatenate(waiting), rate)
            waiting, count = [], 0
        rate = piece.rate
        waiting.append(piece.samples)
        count += len(piece.samples)
        if count >= int(block_s * rate):
            yield AudioPiece(np.concatenate(waiting) if len(waiting) > 1 else waiting[0], rate)
            waiting, count = [], 0
    if waiting:
        yield AudioPiece(np.concatenate(waiting), rate)


def _pieces(file: BinaryIO, size: int, name: str, block_s: float, track: int | None) -> Iterator[AudioPiece]:
    """Yield the pieces of all links of a file, and check that each link is complete."""
    for link in links(file, size, name):
        part = Slice(file, link.start, link.end)
        found = _open(part, link, name, block_s, track)
        read_s, damage = 0.0, None
        with contextlib.closing(found.pieces):
            try:
                for piece in _decoded(found, part, name):
                    read_s += len(piece.samples) / piece.rate
                    if len(piece.samples):
                        yield piece
            except DamageError as error:
                damage = error
        _check_complete(found, link, read_s, damage, name)


def _decoded(found: OpenedAudio, part: Slice, name: str) -> Iterator[AudioPiece]:
    """Yield decoded pieces. Decoder errors become DamageError; read errors of the system become AudioError."""
    while True:
        try:
            piece = next(found.pieces, None)
        except (SpeechError, DamageError, MemoryError):
            raise
        except Exception as error:
            raise DamageError(f"{type(error).__name__}: {error}") from error
        finally:
            _check_system(part, name)
        if piece is None:
            return
        yield piece


def _open(
    part: Slice, link: Link, name: str, block_s: float, track: int | None, *, measured: bool = False
) -> OpenedAudio:
    """Open the decoder of a link.

    Raises:
        AudioError: if the link is not audio, has no such track, or cannot be read.
    """
    try:
        return _decoder(part, link, name, block_s, track, measured)
    finally:
        _check_system(part, name)


def _check_system(part: Slice, name: str) -> None:
    if part.failure is not None:
        raise AudioError(f"cannot be read: {reason(part.failure)}", where=name) from part.failure


def _decoder(part: Slice, link: Link, name: str, block_s: float, track: int | None, measured: bool) -> OpenedAudio:
    refusal = ""
    try:
        found = _open_alone(part, link, name, block_s, measured)
        if found is not None:
            if track not in (None, 0):
                raise AudioError(f"has no track {track}, it has 1", where=name, fix="Tracks are counted from 0.")
            return found
    except soundfile.LibsndfileError as error:
        refusal = error.error_string.rstrip(".")
    part.seek(0)
    try:
        return open_container(part, name, track=track, strict=link.kind == "flac")
    except (av.error.FFmpegError, ValueError, IndexError) as error:
        raise AudioError(
            f"is not audio that can be read ({refusal or error})",
            where=name,
            fix="Give wav, flac, ogg, opus, mp3, m4a, mp4, webm or another common format.",
        ) from error


def _open_alone(part: Slice, link: Link, name: str, block_s: float, measured: bool) -> OpenedAudio | None:
    """Open with a decoder for single-track formats; None if FFmpeg's demuxers are needed."""
    size = link.end - link.start
    if not link.kind:
        if (found := open_frames(part, size, name, measured=measured)) is not None:
            return found
        part.seek(0)
        with contextlib.suppress(av.error.FFmpegError, ValueError, IndexError):
            if format_of(part) in ("mp3", "aac"):
                return open_frames(part, size, name, leading=True, measured=measured)
        part.seek(0)
    if link.kind not in _SOUND_KINDS or link.open_end:
        return None
    found = open_sound(part, block_s=block_s)
    return None if found.info.format == "mpeg" else found


def _check_complete(found: OpenedAudio, link: Link, read_s: float, damage: DamageError | None, name: str) -> None:
    promised_s = max(found.promised_s, link.promised_s, read_s * link.whole)
    again = "Copy or download it again."
    if promised_s - read_s > _TRUNCATION_S:
        raise AudioError(
            f"is cut off: {read_s:.2f} s of {promised_s:.2f} s can be read", where=name, fix=again
        ) from damage
    if promised_s - read_s > _NOTICED_S and damage is None:
        _log.warning("%s: the last %.2f s of %.2f s are missing", name, promised_s - read_s, promised_s)
    if isinstance(damage, CutOffError):
        raise AudioError(f"is cut off: {damage}", where=name, fix=again) from damage
    if damage is not None:
        raise AudioError(
            f"is damaged after {read_s:.2f} s: {damage}", where=name, fix="Encode or copy it again."
        ) from damage
    if read_s == 0:
        raise AudioError("has no samples", where=name)


def _check_finite(block: np.ndarray, received: int, rate: int, name: str) -> None:
    if np.isfinite(block).all():
        return
    first = int(np.flatnonzero(~np.isfinite(block).all(axis=1))[0]) + received
    raise AudioError(
        f"sample {first} ({first / rate:.3f} s) is not a finite number", where=name, fix="Write the file again."
    )
