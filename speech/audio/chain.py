"""What the bytes of a file are, before anything is decoded: the links of a chain, and whether the last is cut off.

Files are joined by putting one behind the other, and decoders stop at the end of the first. So the containers are
walked by their own sizes: each link is a file that is whole in itself.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from speech.audio.ogg_pages import ogg_links
from speech.errors import AudioError

_UNKNOWN_RIFF = 0x7FFF_0000
"""RIFF sizes from here on are what writers to a pipe leave behind (0x7FFFFFFF, 0xFFFFFFFF and near them)."""
_MOST_REST_S = 0.5
"""Seconds of bytes behind the samples that are no chunk; more is audio that the header does not tell of."""
_FEW = 4096
_MOST_LINKS = 10_000
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Link:
    """One whole file within a file."""

    kind: str
    """wav, aiff, w64, au, caf, flac, ogg, ogg_many (several streams, or holes), mp4, matroska; "" for the rest."""
    start: int
    end: int
    whole: float = 1.0
    """How many bytes of samples there should be for each that is there."""
    open_end: bool = False
    """The header does not know how long it is."""
    promised_s: float = 0.0
    """What the header says there is; 0 where it does not."""


def links(file: BinaryIO, size: int, name: str) -> list[Link]:
    """The links of a file of `size` bytes, in order.

    Raises:
        AudioError: the last is cut off, or what follows a link is not known.
    """
    found: list[Link] = []
    start = 0
    while start < size:
        if len(found) == _MOST_LINKS:
            raise AudioError(f"is joined of more than {_MOST_LINKS} files", where=name)
        more = _links_from(file, start, size, name)
        if found and not more[0].kind:
            break  # tags and padding; where it is more than that, the walk of the link before it has said so
        found += more
        start = more[-1].end
    return found


def _links_from(file: BinaryIO, start: int, size: int, name: str) -> list[Link]:
    head = _read(file, start, 40)
    if head.startswith(b"OggS"):
        pages = ogg_links(file, start, size, name)
        return [Link("ogg" if simple else "ogg_many", begin, end) for begin, end, simple in pages]
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return [_chunked(file, start, size, _WAV, name)]
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return [_chunked(file, start, size, _AIFF, name)]
    if head[:16] == _W64_RIFF:
        return [_chunked(file, start, size, _W64, name)]
    if head[:4] == b"caff":
        return [_chunked(file, start, size, _CAF, name)]
    if head[:4] == b".snd" and len(head) >= 24:
        return [_au(head, start, size)]
    flac = start + _id3_size(head)
    if _read(file, flac, 4) == b"fLaC":
        return _flac(file, start, flac, size)
    if head[4:8] in _MP4_FIRST:
        return _mp4(file, start, size, name)
    if head.startswith(_EBML):
        return [_matroska(file, start, size, name)]
    return [Link("", start, size)]


def _read(file: BinaryIO, place: int, count: int) -> bytes:
    file.seek(place)
    return file.read(count)


def _id3_size(head: bytes) -> int:
    """Bytes of the tag that a file begins with; its size is four bytes of seven bits."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    footer = 10 * bool(head[5] & 0x10)
    return 10 + footer + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))


def _rest_is_empty(file: BinaryIO, start: int, end: int, most: int = _FEW) -> bool:
    """Whether what is left is little, or nothing but zeros."""
    if end - start <= most:
        return True
    file.seek(start)
    while start < end and (block := file.read(min(_BLOCK, end - start))):
        if block.count(0) != len(block):
            return False
        start += len(block)
    return True


def _cut_off(name: str, found: str) -> AudioError:
    return AudioError(f"is cut off: {found}", where=name, fix="Copy or download it again.")


# Chunks of a name and a size


@dataclass(frozen=True, slots=True)
class _Layout:
    """How chunks are written."""

    kind: str
    first: int
    """Bytes before the first chunk."""
    head: struct.Struct
    data: bytes
    align: int = 2
    own: bool = False
    """A chunk's size counts its head."""


_W64_TAIL = b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
_W64_RIFF = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_WAV = _Layout("wav", 12, struct.Struct("<4sI"), b"data")
_AIFF = _Layout("aiff", 12, struct.Struct(">4sI"), b"SSND")
_W64 = _Layout("w64", 40, struct.Struct("<16sQ"), b"data" + _W64_TAIL, 8, True)
_CAF = _Layout("caf", 8, struct.Struct(">4sQ"), b"data", 1)


def _chunked(file: BinaryIO, start: int, size: int, layout: _Layout, name: str) -> Link:
    """WAV, RF64, AIFF, W64 or CAF from `start`."""
    place, long_size, bytes_per_s = start + layout.first, 0, 0
    is_rf64 = _read(file, start, 4) == b"RF64"
    while len(head := _read(file, place, layout.head.size)) == layout.head.size:
        kind, count = layout.head.unpack(head)
        body = place + layout.head.size
        count -= layout.head.size * layout.own
        if layout is _WAV and kind == b"ds64":
            long_size = int.from_bytes(_read(file, body + 8, 8), "little")
        if layout is _WAV and kind == b"fmt ":
            bytes_per_s = int.from_bytes(_read(file, body + 8, 4), "little")
        if kind == layout.data:
            if is_rf64 and count == 0xFFFF_FFFF:
                count = long_size
            return _data(file, start, body, count, size, layout, bytes_per_s, name)
        place = body + count + -count % layout.align
    return Link(layout.kind, start, size)


def _data(
    file: BinaryIO, start: int, body: int, count: int, size: int, layout: _Layout, bytes_per_s: int, name: str
) -> Link:
    """The link whose samples are the `count` bytes at `body`."""
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
    if not _rest_is_empty(file, end, size, max(_FEW, int(_MOST_REST_S * bytes_per_s))):
        found = f"has {size - end} bytes behind the {count} bytes of samples that its header tells of"
        raise AudioError(found, where=name, fix="Mend its header, or convert it.")
    return Link(layout.kind, start, size)


def _begins(file: BinaryIO, place: int, layout: _Layout) -> bool:
    """Whether another file begins there."""
    head = _read(file, place, 16)
    return {
        "wav": head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE",
        "aiff": head[:4] == b"FORM",
        "w64": head == _W64_RIFF,
        "caf": head[:4] == b"caff",
    }[layout.kind]


def _after_chunks(file: BinaryIO, place: int, size: int, layout: _Layout) -> int:
    """Where the chunks behind the samples end; padding of an odd size may be missing."""
    for begin in (place, place - 1):
        end = begin
        while end < size and not _begins(file, end, layout) and (step := _chunk(file, end, layout)):
            end += step
        if end >= size or _begins(file, end, layout):
            return end
    return place


def _chunk(file: BinaryIO, place: int, layout: _Layout) -> int:
    """Bytes of the chunk there, 0 if it is none."""
    head = _read(file, place, layout.head.size)
    if len(head) < layout.head.size:
        return 0
    kind, count = layout.head.unpack(head)
    if not all(32 <= byte < 127 for byte in kind[:4]):
        return 0
    count -= layout.head.size * layout.own
    return layout.head.size + count + -count % layout.align if 0 <= count < 1 << 40 else 0


def _chunks_to_end(file: BinaryIO, place: int, size: int, layout: _Layout) -> bool:
    while place < size and (step := _chunk(file, place, layout)):
        place += step
    return place in (size, size + 1)


def _au(head: bytes, start: int, size: int) -> Link:
    offset, count = struct.unpack_from(">II", head, 4)
    there = size - start - offset
    if count == 0xFFFF_FFFF or count <= there:
        return Link("au", start, size)
    return Link("au", start, size, whole=count / max(there, 1))


# FLAC


_STREAMINFO = (b"fLaC\x00\x00\x00\x22", b"fLaC\x80\x00\x00\x22")


def _flac(file: BinaryIO, start: int, first: int, size: int) -> list[Link]:
    """FLAC has no sizes: another one begins where the eight bytes stand that each begins with."""
    begins, overlap, place = [first], b"", first + 8
    file.seek(place)
    while block := file.read(_BLOCK):
        text, base = overlap + block, place - len(overlap)
        for magic in _STREAMINFO:
            at = text.find(magic)
            while at >= 0:
                begins.append(base + at)
                at = text.find(magic, at + 1)
        overlap, place = text[-7:], place + len(block)
    begins = sorted(set(begins))
    found = []
    for begin, end in zip(begins, [*begins[1:], size], strict=True):
        info = _read(file, begin + 18, 8)
        rate = int.from_bytes(info[:3]) >> 4
        count = int.from_bytes(info[3:8]) & (1 << 36) - 1
        promised_s = count / rate if rate and len(info) == 8 else 0.0
        found.append(Link("flac", start if begin == first else begin, end, promised_s=promised_s))
    return found


# Boxes of MP4 and QuickTime


_MP4_FIRST = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp")


def _boxes(file: BinaryIO, start: int, size: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, end) of each; the end may lie behind the file."""
    place = start
    while len(head := _read(file, place, 16)) >= 8 and all(32 <= byte < 127 or byte == 0xA9 for byte in head[4:8]):
        count = int.from_bytes(head[:4])
        if count == 1 and len(head) == 16:
            count = int.from_bytes(head[8:])
        end = size if count == 0 else place + count
        if end < place + 8:
            return
        yield head[4:8], place, end
        place = end


def _mp4(file: BinaryIO, start: int, size: int, name: str) -> list[Link]:
    """Joined files have a second `ftyp`, or a second `moov`."""
    begins, described = [start], False
    last = start
    for kind, begin, end in _boxes(file, start, size):
        if described and kind in (b"ftyp", b"moov"):
            begins.append(begin)
            described = False
        described |= kind == b"moov"
        if end > size:
            kind_name = kind.decode("ascii", "backslashreplace")
            raise _cut_off(name, f"{end - size} bytes are missing of the {end - begin} of its box {kind_name!r}")
        last = end
    if not _rest_is_empty(file, last, size):
        raise AudioError(f"is damaged: what stands at byte {last} is no MP4 box", where=name, fix="Copy it again.")
    return [Link("mp4", begin, end) for begin, end in zip(begins, [*begins[1:], size], strict=True)]


# Elements of Matroska and WebM (RFC 9559)


_EBML = b"\x1a\x45\xdf\xa3"
_ENTERED = frozenset({0x18538067, 0x1F43B675})
"""Segment and Cluster, which may be of unknown size; their children are walked."""


def _matroska(file: BinaryIO, start: int, size: int, name: str) -> Link:
    place, promised = start, 0
    while place < size:
        head = _read(file, place, 12)
        if place > start and head.startswith(_EBML):
            return Link("matroska", start, place)
        element = _element(head)
        if element is None:
            if size - place < 12 and len(head.strip(b"\0")):
                raise _cut_off(name, f"it ends within an element, {size - place} bytes of it are there")
            if not _rest_is_empty(file, place, size, 12):
                found = f"is damaged: what stands at byte {place} is no Matroska element"
                raise AudioError(found, where=name, fix="Copy it again.")
            break
        kind, length, count = element
        if count is None:
            place += length
            continue
        end = place + length + count
        promised = max(promised, end)
        # A cluster is passed over where it is whole.
        place = place + length if kind in _ENTERED and (kind == 0x18538067 or end > size) else end
    if max(promised, place) > size:
        raise _cut_off(name, f"{max(promised, place) - size} bytes are missing of its last element")
    return Link("matroska", start, size)


def _element(head: bytes) -> tuple[int, int, int | None] | None:
    """(id, bytes of id and size, size or None if it is not known)."""
    if not head or (id_length := 9 - head[0].bit_length()) > 4 or len(head) <= id_length:
        return None
    size_length = 9 - head[id_length].bit_length()
    if size_length > 8 or len(head) < id_length + size_length:
        return None
    bits = (1 << 7 * size_length) - 1
    count = int.from_bytes(head[id_length : id_length + size_length]) & bits
    return int.from_bytes(head[:id_length]), id_length + size_length, None if count == bits else count
