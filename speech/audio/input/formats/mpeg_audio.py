"""Read MP3 (MPEG audio of all layers) and ADTS AAC frame by frame, to the last byte.

Neither has a container: a file is a sequence of frames, with tags before and after them, and between them in
concatenated files. An encoder's header frame (Xing, Info, VBRI) holds no audio, only the frame count of its own file.
The count is checked, but reading does not stop there.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import cast

import av
from av.audio.codeccontext import AudioCodecContext

from speech.audio.input.pieces import AudioInfo, AudioPiece, CutOffError, DamageError, OpenedAudio, samples_of
from speech.audio.input.source import Slice

_log = logging.getLogger("speech.audio")
_BLOCK = 1 << 18
_HEAD, _LONGEST_FRAME = 7, 8192
_MOST_LOST_S = 0.5
"""Seconds that may be damaged with only a warning."""
_MOST_LEADING = 1 << 17
_DECODER_DELAY = 529
"""Delay in samples of every layer III decoder."""
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_KBPS = {
    (True, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 1): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates by (is MPEG 1, the two layer bits: 3 is layer I) and index, from 1."""
_ADTS_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)


@dataclass(frozen=True, slots=True)
class FrameHead:
    """The parsed header of a frame."""

    codec: str
    """Name of FFmpeg's decoder."""
    rate: int
    channels: int
    size: int
    """Bytes of the frame."""
    samples: int

    @property
    def kind(self) -> tuple[str, int]:
        """Codec and rate, which are constant within one file."""
        return self.codec, self.rate


def frame_head(data: bytes | bytearray, place: int = 0) -> FrameHead | None:
    """Parse the frame header at `place`; None if there is none, or fewer than 7 bytes.

    Free-format frames, whose header has no size, are not supported.
    """
    if len(data) < place + _HEAD or data[place] != 0xFF or data[place + 1] & 0xE0 != 0xE0:
        return None
    second, third, fourth = data[place + 1 : place + 4]
    version, layer = second >> 3 & 3, second >> 1 & 3
    if layer == 0:
        return _adts_head(data, place) if second & 0xF6 == 0xF0 else None
    index, rate_index = third >> 4, third >> 2 & 3
    if version == 1 or index in (0, 15) or rate_index == 3 or fourth & 3 == 2:
        return None
    rate, bps = _RATES[version][rate_index], 1000 * _KBPS[version == 3, layer][index - 1]
    padding = third >> 1 & 1
    if layer == 3:
        size, samples = (12 * bps // rate + padding) * 4, 384
    else:
        samples = 576 if layer == 1 and version != 3 else 1152
        size = samples // 8 * bps // rate + padding
    return FrameHead(f"mp{4 - layer}float", rate, 1 if fourth >> 6 == 3 else 2, size, samples)


def _adts_head(data: bytes | bytearray, place: int) -> FrameHead | None:
    third, fourth, fifth, sixth, seventh = data[place + 2 : place + 7]
    rate_index, channels = third >> 2 & 15, (third & 1) << 2 | fourth >> 6
    size = (fourth & 3) << 11 | fifth << 3 | sixth >> 5
    if rate_index >= len(_ADTS_RATES) or size < 8:
        return None
    return FrameHead("aac", _ADTS_RATES[rate_index], 8 if channels == 7 else channels, size, 1024 * (1 + (seventh & 3)))


def open_frames(
    file: Slice, size: int, name: str, *, leading: bool = False, measured: bool = False
) -> OpenedAudio | None:
    """Open a file of MP3 or ADTS frames; None if it is not one.

    Args:
        file: seekable file.
        size: size of the file in bytes.
        name: for warnings.
        leading: allow other bytes before the first frame, as in a stream recorded from its middle.
        measured: count all frames for an exact duration; otherwise it is an estimate.
    """
    head, _ = next(_frames(file, size, name, most_leading=_MOST_LEADING if leading else 0), (None, b""))
    if head is None:
        return None
    seconds = size / head.size * head.samples / head.rate
    if measured:
        heads = [
            found for found, data in _frames(file, size, name, quiet=True) if _EncoderHeader.of(found, data) is None
        ]
        seconds = sum(found.samples / found.rate for found in heads)
    kind = "aac" if head.codec == "aac" else head.codec.removesuffix("float")
    return OpenedAudio(AudioInfo(seconds, head.rate, max(head.channels, 1), kind), _read(file, size, name))


def _read(file: Slice, size: int, name: str) -> Generator[AudioPiece]:
    """Yield decoded pieces, with a new decoder for each concatenated file."""
    decoder: _FrameDecoder | None = None
    lost_s, cut = 0.0, None
    frames = _frames(file, size, name)
    while True:
        try:
            head, data = next(frames, (None, b""))
        except CutOffError as error:
            head, data, cut = None, b"", error
        count = None if head is None else _EncoderHeader.of(head, data)
        if decoder is not None and (head is None or count is not None or head.kind != decoder.kind):
            yield from decoder.finish()
            lost_s += decoder.lost_s
            if cut is not None and not decoder.counted:
                raise cut
            decoder = None
        if head is None:
            break
        decoder = decoder or _FrameDecoder(head, count, name)
        if count is None:
            yield from decoder.decode(head, data)
            if lost_s + decoder.lost_s > _MOST_LOST_S:
                raise DamageError(decoder.failure)
    if lost_s:
        _log.warning("%s: %.2f s of its frames cannot be decoded, and are left out", name, lost_s)


@dataclass(frozen=True, slots=True)
class _EncoderHeader:
    """An encoder's header frame (Xing, Info or VBRI)."""

    frames: int
    """Frame count; 0 if unknown."""
    delay: int = 0
    padding: int = 0
    """`delay` and `padding`: samples that the encoder added before and after the audio."""
    exact: bool = False
    """Whether delay and padding are known."""

    @classmethod
    def of(cls, head: FrameHead, data: bytes) -> _EncoderHeader | None:
        if head.codec != "mp3float":
            return None
        if data[36:40] == b"VBRI":
            return cls(int.from_bytes(data[50:54]))
        mpeg1 = head.samples == 1152
        begin = 4 + ((32 if mpeg1 else 17) if head.channels == 2 else (17 if mpeg1 else 9))
        if data[begin : begin + 4] not in (b"Xing", b"Info"):
            begin += 2  # a checksum follows the head
            if data[begin : begin + 4] not in (b"Xing", b"Info"):
                return None
        flags = int.from_bytes(data[begin + 4 : begin + 8])
        place = begin + 8
        frames = int.from_bytes(data[place : place + 4]) if flags & 1 else 0
        place += 4 * (flags & 1) + 4 * (flags >> 1 & 1) + 100 * (flags >> 2 & 1) + 4 * (flags >> 3 & 1)
        if not data[place : place + 4].strip(b"\0") or len(data) < place + 24:
            return cls(frames)
        both = int.from_bytes(data[place + 21 : place + 24])
        return cls(frames, both >> 12, both & 0xFFF, True)


class _FrameDecoder:
    """Decodes the frames of one file and drops the encoder's delay and padding."""

    def __init__(self, head: FrameHead, count: _EncoderHeader | None, name: str) -> None:
        self._name = name
        self.kind = head.kind
        self.lost_s = 0.0
        self.failure = ""
        self._count = count or _EncoderHeader(0)
        self._codec = cast(AudioCodecContext, AudioCodecContext.create(head.codec, "r"))
        self._skip = self._count.delay + _DECODER_DELAY if self._count.exact else 0
        self._frames = 0
        self._per_frame, self._rate = head.samples, head.rate
        self._held: list[AudioPiece] = []
        self._held_samples = 0

    def decode(self, head: FrameHead, data: bytes) -> Iterator[AudioPiece]:
        self._frames += 1
        try:
            frames = self._codec.decode(av.Packet(data))
        except av.error.FFmpegError as error:
            self.failure = str(error)
            self.lost_s += head.samples / head.rate
            return
        for frame in frames:
            yield from self._give(AudioPiece(samples_of(frame), frame.sample_rate))

    def finish(self) -> Iterator[AudioPiece]:
        """Yield the remaining samples. Raises CutOffError if frames of more than half a second are missing."""
        try:
            for frame in self._codec.decode(None):
                yield from self._give(AudioPiece(samples_of(frame), frame.sample_rate))
        except av.error.FFmpegError as error:
            self.failure = str(error)
        missing = self._count.frames - self._frames
        if missing * self._per_frame > _MOST_LOST_S * self._rate:
            count = self._count
            whole_s = (count.frames * self._per_frame - count.delay - count.padding) / self._rate
            read_s = max(self._frames * self._per_frame - count.delay, 0) / self._rate
            raise CutOffError(f"{read_s:.2f} s of {whole_s:.2f} s can be read")
        if missing > 1:
            found = "%s: the last %.2f s are missing"
            _log.warning(found, self._name, missing * self._per_frame / self._rate)
        drop = max(0, self._trailing) if self._frames == self._count.frames else 0
        for piece in self._held:
            left = self._held_samples - drop
            if left > 0:
                yield AudioPiece(piece.samples[:left], piece.rate)
            self._held_samples -= len(piece.samples)

    @property
    def counted(self) -> bool:
        """Whether the header frame contains a frame count."""
        return self._count.frames > 0

    @property
    def _trailing(self) -> int:
        return self._count.padding - _DECODER_DELAY if self._count.exact else 0

    def _give(self, piece: AudioPiece) -> Iterator[AudioPiece]:
        """Yield decoded samples, but hold back as many as may turn out to be padding."""
        skip = min(self._skip, len(piece.samples))
        self._skip -= skip
        samples = piece.samples[skip:]
        if not len(samples):
            return
        self._held.append(AudioPiece(samples, piece.rate))
        self._held_samples += len(samples)
        while self._held and self._held_samples - len(self._held[0].samples) >= self._trailing:
            first = self._held.pop(0)
            self._held_samples -= len(first.samples)
            yield first


def _frames(
    file: Slice, size: int, name: str, *, quiet: bool = False, most_leading: int = _MOST_LEADING
) -> Iterator[tuple[FrameHead, bytes]]:
    """Yield all frames; tags between them are skipped.

    Raises:
        CutOffError: unless `quiet`, if the last frame is incomplete.
        DamageError: unless `quiet`, if too many bytes are neither frames nor tags.
    """
    place = base = 0
    junk_s = per_byte_s = 0.0
    data, last, cut = b"", None, False
    while place < size and not cut:
        if place - base + 2 * _LONGEST_FRAME > len(data) and base + len(data) < size:
            file.seek(place)
            data, base = file.read(_BLOCK), place
            cut = not data
        at, rest = place - base, size - place
        head = frame_head(data, at)
        if head is not None and (last == head.kind or _followed(data, at, head)):
            cut = head.size > rest
            if not cut:
                yield head, data[at : at + head.size]
                place, last = place + head.size, head.kind
                per_byte_s = head.samples / head.rate / head.size
        elif 0 < (tag := _tag_size(data, at)) <= rest:
            place, last = place + tag, None
        elif cut or (last is not None and rest < _HEAD and data[at] == 0xFF):
            cut = True
        else:
            step = data.find(b"\xff", at + 1)
            step = (step if step >= 0 else len(data)) - at
            junk_s += (step - data.count(0, at, at + step)) * per_byte_s  # zeros are padding
            place, last = place + step, None
            if junk_s > _MOST_LOST_S and not quiet:
                raise DamageError(f"what stands at byte {place} is neither a frame nor a tag")
            if not per_byte_s and place > most_leading:
                return
    if cut and not quiet:
        raise CutOffError(f"it ends within a frame, {size - place} bytes of it are there")
    if junk_s and not quiet:
        _log.warning("%s: %.2f s of its bytes are neither frames nor tags, and are left out", name, junk_s)


def _followed(data: bytes, at: int, head: FrameHead) -> bool:
    """Whether a frame of the same codec, a tag or the end of the data follows."""
    behind = at + head.size
    if behind >= len(data) - _HEAD:
        return behind == len(data)
    following = frame_head(data, behind)
    return (following is not None and following.codec == head.codec) or bool(_tag_size(data, behind))


def _tag_size(data: bytes, at: int) -> int:
    """Bytes of the ID3, APE or Lyrics3 tag at `at`; 0 if there is none."""
    head = data[at : at + 32]
    if head[:3] == b"ID3" and len(head) >= 10 and max(head[6:10]) < 0x80:
        count = sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        return 10 + count + 10 * bool(head[5] & 0x10)
    if head[:3] == b"TAG":
        return 128
    if head[:8] == b"APETAGEX" and len(head) == 32:
        return int.from_bytes(head[12:16], "little") + 32 * (head[23] >> 5 & 1)
    if head[:11] == b"LYRICSBEGIN":
        end = data.find(b"LYRICS200", at)
        return end + 9 - at if end > 0 else 11
    return 0
