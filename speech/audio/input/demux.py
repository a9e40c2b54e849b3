"""Read containers with FFmpeg: track choice and timing of samples."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator

import av
import numpy as np

from speech.audio.input.pieces import AudioInfo, AudioPiece, CutOffError, DamageError, OpenedAudio, samples_of
from speech.audio.input.source import Slice
from speech.errors import AudioError

_log = logging.getLogger("speech.audio")
_CONTAINERS = (
    "mov,matroska,webm,asf,avi,flv,mpegts,mpeg,aac,ac3,eac3,dts,amr,caf,wav,w64,aiff,au,ogg,mp3,flac,wv,ape,tta,tak,rm"
)
"""Allowed FFmpeg demuxers. Playlists (concat, hls, dash) are excluded because they open other files."""
_COUNTED = frozenset("asf avi flv tta ape wv tak".split())
"""Formats whose header contains the length."""
_FIXED_PACKETS = frozenset("wav w64 aiff au caf".split())
"""Formats that FFmpeg cuts into packets of fixed size. A shorter last packet does not mean truncation."""
_LEAD_S, _GAP_S = 0.02, 0.1
"""Minimum gap at the beginning and later, in seconds: some containers round timestamps to milliseconds."""
_LONGEST_GAP_S, _MOST_SILENCE_S = 3600.0, 6 * 3600.0
_MOST_LOST_S = 0.5
_SILENCE_S = 1.0


def open_container(file: Slice, name: str, *, track: int | None = None, strict: bool = False) -> OpenedAudio:
    """Open a file with FFmpeg.

    Args:
        file: seekable file.
        name: for errors.
        track: audio track, from 0; None: the container's default track, else the first.
        strict: verify frame checksums and treat gaps as damage.

    Raises:
        AudioError: if the file has no audio or no such track.
        av.FFmpegError, ValueError, IndexError: if FFmpeg cannot open the file.
    """
    container = av.open(file, mode="r", options={"format_whitelist": _CONTAINERS})
    try:
        stream = _choose(container, track, name)
        if strict:
            stream.codec_context.options = {"err_detect": "crccheck+explode"}
        rate, channels = int(stream.rate), int(stream.codec_context.channels)
        duration_s = (container.duration or 0) / av.time_base
        if stream.duration and stream.time_base:
            duration_s = float(stream.duration * stream.time_base)
        kind = str(container.format.name)
        info = AudioInfo(duration_s, rate, channels, kind, len(container.streams.audio))
        promised_s = duration_s if kind in _COUNTED and len(container.streams) == 1 else 0.0
    except BaseException:
        container.close()
        raise
    return OpenedAudio(info, _read(container, stream, name, strict), promised_s)


def format_of(file: Slice) -> str:
    """Return the format that FFmpeg detects."""
    with av.open(file, mode="r", options={"format_whitelist": _CONTAINERS}) as container:
        return str(container.format.name)


def _choose(container: av.container.InputContainer, track: int | None, name: str) -> av.AudioStream:
    tracks = container.streams.audio
    if not tracks:
        raise AudioError("holds no audio stream", where=name)
    if track is not None and not 0 <= track < len(tracks):
        raise AudioError(
            f"has no track {track}, it has {len(tracks)}", where=name, fix="Tracks of audio are counted from 0."
        )
    taken = track
    if taken is None:
        marked = [n for n, stream in enumerate(tracks) if stream.disposition & av.stream.Disposition.default]
        taken = marked[0] if marked else 0
        if len(tracks) > 1:
            why = "the default" if marked else "the first"
            _log.warning("%s: has %d audio tracks, took track %d, %s; --track chooses", name, len(tracks), taken, why)
    stream = tracks[taken]
    if stream.codec_context is None or not stream.rate or not stream.codec_context.channels:
        raise AudioError("holds audio of an unknown kind", where=name)
    return stream


def _begin_s(container: av.container.InputContainer, stream: av.AudioStream) -> float | None:
    """Start time of the earliest other audio or video stream, cover pictures excluded; None if there is none."""
    begins = [
        float(other.start_time * other.time_base)
        for other in container.streams
        if other.type in ("audio", "video")
        and other.index != stream.index
        and other.start_time is not None
        and other.time_base
        and not other.disposition & av.stream.Disposition.attached_pic
    ]
    return min(begins, default=None)


def _read(
    container: av.container.InputContainer, stream: av.AudioStream, name: str, strict: bool
) -> Generator[AudioPiece]:
    with container:
        clock = _Clock(_begin_s(container, stream), name, strict)
        lost_s, failure = 0.0, ""
        corrupt = False
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    break
                corrupt = packet.is_corrupt if packet.size else corrupt
                frames = packet.decode()
                failure = "" if packet.size else failure
            except av.error.InvalidDataError as error:
                failure = str(error)
                lost_s += float((packet.duration or 0) * packet.time_base) if packet is not None else _MOST_LOST_S
                if packet is None or lost_s > _MOST_LOST_S:
                    raise DamageError(failure) from error
                continue
            except av.error.FFmpegError as error:
                raise DamageError(str(error)) from error
            for frame in frames:
                yield from clock.place(frame)
        if failure or (corrupt and container.format.name not in _FIXED_PACKETS):
            raise CutOffError(failure or "its last packet is not complete")
        if lost_s:
            _log.warning("%s: %.2f s cannot be decoded, silence takes their place", name, lost_s)


class _Clock:
    """Places frames at the container's timestamps, with silence before a late start and in gaps.

    Timestamps count from the earliest stream. They are compared with all audio yielded so far, so that rounding errors
    do not accumulate. If timestamps jump back, samples continue without a gap and the clock is realigned.
    """

    def __init__(self, begin_s: float | None, name: str, strict: bool) -> None:
        self._strict = strict  # a gap between frames is damage
        self._begin_s = begin_s
        self._name = name
        self._given_s = 0.0
        self._zero_s: float | None = None
        self._silence_s = 0.0
        self._warned = False

    def place(self, frame: av.AudioFrame) -> Iterator[AudioPiece]:
        """Yield the silence before the frame, then the frame. Raises DamageError for a gap if strict."""
        samples, rate = samples_of(frame), frame.sample_rate
        if frame.pts is not None and frame.time_base:
            yield from self._silence(float(frame.pts * frame.time_base), rate, samples.shape[1])
        self._given_s += len(samples) / rate
        yield AudioPiece(samples, rate)

    def _silence(self, time_s: float, rate: int, channels: int) -> Iterator[AudioPiece]:
        least_s = _GAP_S
        if self._zero_s is None:
            self._zero_s = time_s - self._given_s
            if self._begin_s is not None:
                self._zero_s, least_s = min(self._begin_s, self._zero_s), _LEAD_S
        gap_s = time_s - self._zero_s - self._given_s
        if abs(gap_s) < least_s:
            return
        if self._strict:
            raise DamageError(f"{abs(gap_s):.2f} s cannot be decoded")
        if gap_s > _LONGEST_GAP_S or gap_s + self._silence_s > _MOST_SILENCE_S:
            self._warn(f"its times leave out {gap_s:.0f} s after {self._given_s:.1f} s, which is not believed")
        if gap_s < 0 or gap_s > _LONGEST_GAP_S or gap_s + self._silence_s > _MOST_SILENCE_S:
            self._zero_s = time_s - self._given_s
            return
        self._silence_s += gap_s
        left = round(gap_s * rate)
        self._given_s += left / rate
        block = np.zeros((max(1, round(_SILENCE_S * rate)), channels), np.float32)
        while left > 0:
            yield AudioPiece(block[:left], rate)
            left -= min(left, len(block))

    def _warn(self, found: str) -> None:
        if not self._warned:
            _log.warning("%s: %s", self._name, found)
        self._warned = True
