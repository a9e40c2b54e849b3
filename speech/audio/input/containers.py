"""Incremental demuxers of Opus packets in Ogg and WebM. They use no threads and yield packets once complete."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from speech.errors import AudioError

_MOST_WAITING = 1 << 20
"""Maximum bytes of one packet or element of live audio."""
_MOST_TRACKS = 100


@dataclass(frozen=True, eq=False, slots=True)
class OpusStream:
    """Header data of one Opus stream. A chained file has several streams in sequence."""

    channels: int = 1
    skip: int = 0
    """Samples at 48 kHz to skip at the start (pre-skip)."""


class OpusPacket(NamedTuple):
    """An Opus packet and its stream."""

    data: bytes
    stream: OpusStream


class Ogg:
    """Incremental Ogg demuxer (RFC 3533, RFC 7845). Of multiplexed streams, it reads the first with Opus."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._partial = bytearray()
        self._heads = True  # first pages of more streams may still follow
        self._serial: bytes | None = None
        self._stream: OpusStream | None = None
        self._headers = 0
        self._other = b""

    def packets(self, data: bytes) -> Iterator[OpusPacket]:
        """Yield the Opus packets that `data` completes. Raises AudioError if the data is not Ogg Opus."""
        self._waiting += data
        while (page := self._page()) is not None:
            for packet in page:
                if self._headers < 2 or self._stream is None:
                    self._header(packet)
                else:
                    yield OpusPacket(packet, self._stream)

    def finish(self) -> None:
        """Check the end of the data. Raises AudioError if a page or packet is truncated."""
        if self._waiting or self._partial:
            raise AudioError(f"the Ogg stream ends within a page, {len(self._waiting)} bytes of it are there")

    def _page(self) -> list[bytes] | None:
        """Packets that the next page completes, none if it is of another stream. None while the page is incomplete."""
        waiting = self._waiting
        if not b"OggS".startswith(bytes(waiting[:4])):
            raise AudioError(f"an Ogg page begins with {bytes(waiting[:4])!r}, expected b'OggS'")
        if len(waiting) < 27 or len(waiting) < 27 + waiting[26]:
            return None
        lacing = waiting[27 : 27 + waiting[26]]
        body = 27 + len(lacing)
        if len(waiting) < body + sum(lacing):
            return None
        packets = []
        if self._is_ours(bool(waiting[5] & 2), bytes(waiting[14:18]), bytes(waiting[body : body + 8])):
            for size in lacing:
                self._partial += waiting[body : body + size]
                body += size
                if size < 255:
                    packets.append(bytes(self._partial))
                    self._partial.clear()
            if len(self._partial) > _MOST_WAITING:
                raise AudioError(f"an Ogg packet is longer than {_MOST_WAITING} bytes")
        del waiting[: 27 + len(lacing) + sum(lacing)]
        return packets

    def _is_ours(self, first: bool, serial: bytes, begin: bytes) -> bool:
        """Whether a page belongs to the chosen stream. All streams' first pages precede any other page."""
        if first and not self._heads:  # another file follows
            if self._partial:
                raise AudioError("an Ogg stream ends within a packet, and another begins")
            self._heads, self._serial, self._stream, self._headers, self._other = True, None, None, 0, b""
        if self._serial is None and begin == b"OpusHead":
            self._serial = serial
        elif self._serial is None and self._heads and first:
            self._other = self._other or begin
        elif self._serial is None:
            found = self._other or begin
            raise AudioError(f"the stream begins with {found!r}, expected OpusHead", fix="Send Opus.")
        self._heads = first
        return serial == self._serial

    def _header(self, packet: bytes) -> None:
        self._headers += 1
        if self._headers == 1:
            self._stream = _opus_head(packet)


@dataclass(slots=True)
class _Track:
    number: int = 1
    kind: int = 2
    """2 is audio."""
    default: bool = True
    codec: bytes = b""
    head: bytes = b""


class WebM:
    """Incremental WebM demuxer (Matroska, RFC 9559) for the subset that browsers record.

    Of several Opus tracks, it reads the one marked as default, otherwise the first.
    """

    _TRACKS, _TRACK = 0x1654AE6B, 0xAE
    _ENTERED = frozenset({0x18538067, 0x1F43B675, 0xA0, _TRACKS, _TRACK})
    """Segment, Cluster, BlockGroup, Tracks, TrackEntry: the parser descends into these."""
    _BLOCKS = frozenset({0xA3, 0xA1})
    _NUMBER, _KIND, _DEFAULT, _CODEC, _PRIVATE = 0xD7, 0x83, 0x88, 0x86, 0x63A2
    _READ = _BLOCKS | {_NUMBER, _KIND, _DEFAULT, _CODEC, _PRIVATE}

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._skipping = 0
        self._tracks: list[_Track] = []
        self._taken: tuple[int, OpusStream] | None = None

    def packets(self, data: bytes) -> Iterator[OpusPacket]:
        """Yield the Opus packets that `data` completes. Raises AudioError if the data is not WebM with Opus."""
        self._waiting += data
        while (element := self._element()) is not None:
            name, body = element
            if name in self._BLOCKS:
                self._taken = self._taken or self._choose()
                number, packet = self._block(body)
                if number == self._taken[0]:
                    yield OpusPacket(packet, self._taken[1])
            elif name == self._TRACKS:
                self._tracks, self._taken = [], None
            elif name == self._TRACK:
                if len(self._tracks) == _MOST_TRACKS:
                    raise AudioError(f"the WebM stream has more than {_MOST_TRACKS} tracks")
                self._tracks.append(_Track())
            else:
                self._describe(name, body)

    def finish(self) -> None:
        """Check the end of the data. Raises AudioError if an element is truncated."""
        if self._waiting or self._skipping:
            raise AudioError(f"the WebM stream ends within an element, {len(self._waiting)} bytes of it are there")

    def _describe(self, name: int, body: bytes) -> None:
        if not self._tracks:  # outside a track, these ids belong to other elements
            return
        track = self._tracks[-1]
        if name == self._NUMBER:
            track.number = int.from_bytes(body)
        elif name == self._KIND:
            track.kind = int.from_bytes(body)
        elif name == self._DEFAULT:
            track.default = any(body)
        elif name == self._CODEC:
            track.codec = body.rstrip(b"\0")
        else:
            track.head = body

    def _choose(self) -> tuple[int, OpusStream]:
        heard = [track for track in self._tracks if track.kind == 2]
        fit = [track for track in heard if track.codec == b"A_OPUS"]
        if not fit:
            found = ", ".join(repr(track.codec) for track in heard or self._tracks) or "none"
            raise AudioError(f"the WebM track is {found}, expected A_OPUS", fix="Record Opus.")
        track = next((track for track in fit if track.default), fit[0])
        return track.number, _opus_head(track.head) if track.head else OpusStream()

    def _element(self) -> tuple[int, bytes] | None:
        """(id, body) of the next relevant element, with an empty body for Tracks and TrackEntry; None if incomplete."""
        while True:
            passed = min(self._skipping, len(self._waiting))
            del self._waiting[:passed]
            self._skipping -= passed
            head = None if self._skipping else self._head()
            if head is None:
                return None
            name, size, length = head
            if name in self._ENTERED:
                del self._waiting[:length]
                if name in (self._TRACKS, self._TRACK):
                    return name, b""
            elif name in self._READ:
                if size is None or size > _MOST_WAITING:
                    raise AudioError(f"a WebM element {name:#x} of {size} bytes")
                if len(self._waiting) < length + size:
                    return None
                body = bytes(self._waiting[length : length + size])
                del self._waiting[: length + size]
                return name, body
            elif size is None:
                raise AudioError(f"a WebM element {name:#x} of unknown size")
            else:
                del self._waiting[:length]
                self._skipping = size

    def _head(self) -> tuple[int, int | None, int] | None:
        """(id, size or None if unknown, bytes of both fields); None while incomplete."""
        waiting = self._waiting
        if not waiting:
            return None
        id_length = 9 - waiting[0].bit_length()
        if id_length > 4:
            raise AudioError(f"a WebM element begins with {waiting[0]:#x}")
        if len(waiting) <= id_length:
            return None
        size_length = 9 - waiting[id_length].bit_length()
        if size_length > 8:
            raise AudioError("a WebM element has a size of more than 8 bytes")
        if len(waiting) < id_length + size_length:
            return None
        name = int.from_bytes(waiting[:id_length])
        bits = (1 << 7 * size_length) - 1
        size = int.from_bytes(waiting[id_length : id_length + size_length]) & bits
        return name, None if size == bits else size, id_length + size_length

    @staticmethod
    def _block(body: bytes) -> tuple[int, bytes]:
        """Track number and packet of a block; timestamp and flags between them are skipped."""
        length = 9 - body[0].bit_length() if body else 1
        start = length + 3
        if len(body) <= start or body[start - 1] & 0x06:
            raise AudioError("a WebM block is empty or holds several packets", fix="Record Opus without lacing.")
        return int.from_bytes(body[:length]) & (1 << 7 * length) - 1, body[start:]


def opus_samples(packet: bytes) -> int:
    """Samples at 48 kHz of an Opus packet, from its first bytes (RFC 6716, section 3.1); at most 120 ms."""
    if not packet:
        return 0
    config, code = packet[0] >> 3, packet[0] & 3
    if config < 12:
        each = (480, 960, 1920, 2880)[config & 3]
    elif config < 16:
        each = (480, 960)[config & 1]
    else:
        each = (120, 240, 480, 960)[config & 3]
    count = (1, 2, 2, packet[1] & 63 if len(packet) > 1 else 0)[code]
    return min(each * count, 5760)


def _opus_head(packet: bytes) -> OpusStream:
    """Parse an OpusHead packet (RFC 7845, section 5.1). Raises AudioError if it is not one."""
    if len(packet) < 19 or not packet.startswith(b"OpusHead"):
        raise AudioError(f"the stream begins with {packet[:8]!r}, expected OpusHead", fix="Send Opus.")
    channels = packet[9]
    if channels not in (1, 2):
        raise AudioError(f"the Opus stream has {channels} channels, expected 1 or 2")
    return OpusStream(channels, int.from_bytes(packet[10:12], "little"))
