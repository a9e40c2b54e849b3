"""Opus packets out of Ogg and WebM as their bytes arrive. No threads: whatever is complete is given at once."""

from __future__ import annotations

from collections.abc import Iterator

from speech.errors import AudioError

_MOST_WAITING = 1 << 20
"""Bytes of one page or element; more is no live audio."""


class Ogg:
    """Pages to packets (RFC 3533, RFC 7845)."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._partial = bytearray()
        self._headers = 0
        self.skip = 0
        """Samples at 48 kHz before the audio begins."""
        self.channels = 1

    def packets(self, data: bytes) -> Iterator[bytes]:
        """The Opus packets that `data` completes. Raises AudioError if it is no Ogg Opus."""
        self._waiting += data
        while (page := self._page()) is not None:
            for packet in page:
                if self._headers < 2:
                    self._header(packet)
                else:
                    yield packet

    def finish(self) -> None:
        """Raises AudioError if a page is cut off."""
        if self._waiting or self._partial:
            raise AudioError(f"the Ogg stream ends within a page, {len(self._waiting)} bytes of it are there")

    def _page(self) -> list[bytes] | None:
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
        for size in lacing:
            self._partial += waiting[body : body + size]
            body += size
            if size < 255:
                packets.append(bytes(self._partial))
                self._partial.clear()
        if len(self._partial) > _MOST_WAITING:
            raise AudioError(f"an Ogg packet is longer than {_MOST_WAITING} bytes")
        del waiting[:body]
        return packets

    def _header(self, packet: bytes) -> None:
        self._headers += 1
        if self._headers == 1:
            self.channels, self.skip = _opus_head(packet)


class WebM:
    """Clusters to packets (Matroska, RFC 9559): the subset that browsers record."""

    _ENTERED = frozenset({0x18538067, 0x1F43B675, 0xA0, 0x1654AE6B, 0xAE})
    """Segment, Cluster, BlockGroup, Tracks, TrackEntry: their children are read as they come."""
    _BLOCKS = frozenset({0xA3, 0xA1})
    _CODEC, _PRIVATE = 0x86, 0x63A2

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._skipping = 0
        self.skip = 0
        self.channels = 1

    def packets(self, data: bytes) -> Iterator[bytes]:
        """The Opus packets that `data` completes. Raises AudioError if it is no WebM with Opus."""
        self._waiting += data
        while (element := self._element()) is not None:
            name, body = element
            if name in self._BLOCKS:
                yield self._block(body)
            elif name == self._PRIVATE:
                self.channels, self.skip = _opus_head(body)
            elif name == self._CODEC and body.rstrip(b"\0") != b"A_OPUS":
                raise AudioError(f"the WebM track is {body!r}, expected A_OPUS")

    def finish(self) -> None:
        """Raises AudioError if an element is cut off."""
        if self._waiting or self._skipping:
            raise AudioError(f"the WebM stream ends within an element, {len(self._waiting)} bytes of it are there")

    def _element(self) -> tuple[int, bytes] | None:
        """The next element that has no children, those that are of no interest left out."""
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
            elif name in self._BLOCKS or name in (self._CODEC, self._PRIVATE):
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
        """(id, size or None if unknown, bytes of both), once they are there."""
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
    def _block(body: bytes) -> bytes:
        """Track number, time and flags come before the packet."""
        start = 9 - body[0].bit_length() + 3 if body else 1
        if len(body) <= start or body[start - 1] & 0x06:
            raise AudioError("a WebM block is empty or holds several packets", fix="Record Opus without lacing.")
        return body[start:]


def _opus_head(packet: bytes) -> tuple[int, int]:
    """(channels, samples to skip) of an OpusHead (RFC 7845, section 5.1)."""
    if len(packet) < 19 or not packet.startswith(b"OpusHead"):
        raise AudioError(f"the stream begins with {packet[:8]!r}, expected OpusHead", fix="Send Opus.")
    channels = packet[9]
    if channels not in (1, 2):
        raise AudioError(f"the Opus stream has {channels} channels, expected 1 or 2")
    return channels, int.from_bytes(packet[10:12], "little")
