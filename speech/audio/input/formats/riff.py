"""Chunk-based containers (WAV, RF64, AIFF, W64, CAF) and AU."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from speech.audio.input.formats.link import FEW, Link, read_at, rest_is_empty
from speech.errors import AudioError

_UNKNOWN_RIFF = 0x7FFF_0000
"""RIFF sizes from here on mean unknown: programs that write to a pipe leave 0x7FFFFFFF, 0xFFFFFFFF or similar."""
_MOST_REST_S = 0.5
"""Maximum seconds of bytes after the samples that are not chunks; more is audio missing from the header."""


@dataclass(frozen=True, slots=True)
class ChunkLayout:
    """Layout of a format's chunks."""

    kind: str
    first: int
    """Bytes before the first chunk."""
    head: struct.Struct
    data: bytes
    align: int = 2
    own: bool = False
    """Whether a chunk's size includes its header."""


_W64_TAIL = b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
_W64_RIFF = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_WAV = ChunkLayout("wav", 12, struct.Struct("<4sI"), b"data")
_AIFF = ChunkLayout("aiff", 12, struct.Struct(">4sI"), b"SSND")
_W64 = ChunkLayout("w64", 40, struct.Struct("<16sQ"), b"data" + _W64_TAIL, 8, True)
_CAF = ChunkLayout("caf", 8, struct.Struct(">4sQ"), b"data", 1)


def chunked_layout(head: bytes) -> ChunkLayout | None:
    """Return the chunk layout of a file with these first bytes; None for other formats."""
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return _WAV
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _AIFF
    if head[:16] == _W64_RIFF:
        return _W64
    return _CAF if head[:4] == b"caff" else None


def chunked_link(file: BinaryIO, start: int, size: int, layout: ChunkLayout, name: str) -> Link:
    """The WAV, RF64, AIFF, W64 or CAF link that begins at `start`."""
    place, long_size, bytes_per_s = start + layout.first, 0, 0
    is_rf64 = read_at(file, start, 4) == b"RF64"
    while len(head := read_at(file, place, layout.head.size)) == layout.head.size:
        kind, count = layout.head.unpack(head)
        body = place + layout.head.size
        count -= layout.head.size * layout.own
        if layout is _WAV and kind == b"ds64":
            long_size = int.from_bytes(read_at(file, body + 8, 8), "little")
        if layout is _WAV and kind == b"fmt ":
            bytes_per_s = int.from_bytes(read_at(file, body + 8, 4), "little")
        if kind == layout.data:
            if is_rf64 and count == 0xFFFF_FFFF:
                count = long_size
            return _data(file, start, body, count, size, layout, bytes_per_s, name)
        place = body + count + -count % layout.align
    return Link(layout.kind, start, size)


def _data(
    file: BinaryIO, start: int, body: int, count: int, size: int, layout: ChunkLayout, bytes_per_s: int, name: str
) -> Link:
    """The link whose samples are `count` bytes at `body`, according to its header."""
    there = size - body
    unknown = count == 0 or count >= (_UNKNOWN_RIFF if layout is _WAV or layout is _AIFF else 1 << 62)
    if unknown and count > there:
        return Link(layout.kind, start, size, open_end=True)
    if count == 0 and not _chunks_to_end(file, body, size, layout):
        return Link(layout.kind, start, size, open_end=True)
    if count > there:
        return Link(layout.kind, start, size, whole=count / max(there, 1))
    end = _after_chunks(file, body + count + -count % layout.align, size, layout)
    if end == size or end > size or _begins(file, end, layout):
        return Link(layout.kind, start, min(end, size))
    if not rest_is_empty(file, end, size, max(FEW, int(_MOST_REST_S * bytes_per_s))):
        found = f"has {size - end} bytes behind the {count} bytes of samples that its header tells of"
        raise AudioError(found, where=name, fix="Mend its header, or convert it.")
    return Link(layout.kind, start, size)


def _begins(file: BinaryIO, place: int, layout: ChunkLayout) -> bool:
    """Whether another file of this layout begins at `place`."""
    return chunked_layout(read_at(file, place, 16)) is layout


def _after_chunks(file: BinaryIO, place: int, size: int, layout: ChunkLayout) -> int:
    """End of the chunks after the samples. The padding byte of an odd size may be missing."""
    for begin in (place, place - 1):
        end = begin
        while end < size and not _begins(file, end, layout) and (step := _chunk(file, end, layout)):
            end += step
        if end >= size or _begins(file, end, layout):
            return end
    return place


def _chunk(file: BinaryIO, place: int, layout: ChunkLayout) -> int:
    """Bytes of the chunk at `place`, 0 if there is none."""
    head = read_at(file, place, layout.head.size)
    if len(head) < layout.head.size:
        return 0
    kind, count = layout.head.unpack(head)
    if not all(32 <= byte < 127 for byte in kind[:4]):
        return 0
    count -= layout.head.size * layout.own
    return layout.head.size + count + -count % layout.align if 0 <= count < 1 << 40 else 0


def _chunks_to_end(file: BinaryIO, place: int, size: int, layout: ChunkLayout) -> bool:
    while place < size and (step := _chunk(file, place, layout)):
        place += step
    return place in (size, size + 1)


def au_link(file: BinaryIO, start: int, size: int) -> Link:
    """The AU link that begins at `start`. The header contains offset and size of the samples."""
    offset, count = struct.unpack(">II", read_at(file, start + 4, 8))
    there = size - start - offset
    if count == 0xFFFF_FFFF:
        return Link("au", start, size)
    if count > there:
        return Link("au", start, size, whole=count / max(there, 1))
    end = start + offset + count
    return Link("au", start, end if read_at(file, end, 4) == b".snd" else size)
