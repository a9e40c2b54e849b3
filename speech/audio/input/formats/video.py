"""Video containers of nested elements with sizes: MP4, Matroska, FLV and AVI."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from speech.audio.input.formats.link import Link, cut_off, read_at, rest_is_empty
from speech.errors import AudioError

MP4_FIRST = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp")


def _boxes(file: BinaryIO, start: int, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield (kind, start, end) of each top-level box; the end may lie beyond the file."""
    place = start
    while len(head := read_at(file, place, 16)) >= 8 and all(32 <= byte < 127 or byte == 0xA9 for byte in head[4:8]):
        count = int.from_bytes(head[:4])
        if count == 1 and len(head) == 16:
            count = int.from_bytes(head[8:])
        end = size if count == 0 else place + count
        if end < place + 8:
            return
        yield head[4:8], place, end
        place = end


def mp4_links(file: BinaryIO, start: int, size: int, name: str) -> list[Link]:
    """The MP4 or QuickTime links from `start`. In concatenated files, `ftyp` or `moov` occurs again."""
    begins, described = [start], False
    last = start
    for kind, begin, end in _boxes(file, start, size):
        if described and kind in (b"ftyp", b"moov"):
            begins.append(begin)
            described = False
        described |= kind == b"moov"
        if end > size:
            kind_name = kind.decode("ascii", "backslashreplace")
            raise cut_off(name, f"{end - size} bytes are missing of the {end - begin} of its box {kind_name!r}")
        last = end
    if 0 < size - last < 8 and read_at(file, last, 8).strip(b"\0"):
        raise cut_off(name, f"it ends within the head of a box, {size - last} bytes of it are there")
    if not rest_is_empty(file, last, size):
        raise AudioError(f"is damaged: what stands at byte {last} is no MP4 box", where=name, fix="Copy it again.")
    return [Link("mp4", begin, end) for begin, end in zip(begins, [*begins[1:], size], strict=True)]


# Elements of Matroska and WebM (RFC 9559)


EBML = b"\x1a\x45\xdf\xa3"
_ENTERED = frozenset({0x18538067, 0x1F43B675})
"""Segment and Cluster, which may have unknown size; the walk descends into them."""


def matroska_link(file: BinaryIO, start: int, size: int, name: str) -> Link:
    """The Matroska or WebM link that begins at `start`."""
    place, promised = start, 0
    while place < size:
        head = read_at(file, place, 12)
        if place > start and head.startswith(EBML):
            return Link("matroska", start, place)
        element = _element(head)
        if element is None:
            if size - place < 12 and len(head.strip(b"\0")):
                raise cut_off(name, f"it ends within an element, {size - place} bytes of it are there")
            if not rest_is_empty(file, place, size, 12):
                found = f"is damaged: what stands at byte {place} is no Matroska element"
                raise AudioError(found, where=name, fix="Copy it again.")
            break
        kind, length, count = element
        if count is None:
            place += length
            continue
        end = place + length + count
        promised = max(promised, end)
        # Complete clusters are skipped as a whole.
        place = place + length if kind in _ENTERED and (kind == 0x18538067 or end > size) else end
    if max(promised, place) > size:
        raise cut_off(name, f"{max(promised, place) - size} bytes are missing of its last element")
    return Link("matroska", start, size)


def _element(head: bytes) -> tuple[int, int, int | None] | None:
    """(id, bytes of the id and size fields, size or None if unknown); None if `head` is not an element."""
    if not head or (id_length := 9 - head[0].bit_length()) > 4 or len(head) <= id_length:
        return None
    size_length = 9 - head[id_length].bit_length()
    if size_length > 8 or len(head) < id_length + size_length:
        return None
    bits = (1 << 7 * size_length) - 1
    count = int.from_bytes(head[id_length : id_length + size_length]) & bits
    return int.from_bytes(head[:id_length]), id_length + size_length, None if count == bits else count


# Tags of FLV, and AVI


def flv_link(file: BinaryIO, start: int, size: int, name: str) -> Link:
    """The FLV link that begins at `start`: tags, each with its size before and after it."""
    place = start + int.from_bytes(read_at(file, start + 5, 4)) + 4
    while place < size:
        head = read_at(file, place, 11)
        if head.startswith(b"FLV\x01"):
            return Link("flv", start, place)
        if len(head) == 11 and head[0] & 0x1F not in (8, 9, 18):
            if not rest_is_empty(file, place, size):
                found = f"is damaged: what stands at byte {place} is no FLV tag"
                raise AudioError(found, where=name, fix="Copy it again.")
            break
        place += 11 + int.from_bytes(head[1:4]) + 4
    if place > size + 4:  # the last size may be missing
        raise cut_off(name, "it ends within an FLV tag")
    return Link("flv", start, size)


def avi_link(file: BinaryIO, start: int, size: int, name: str) -> Link:
    """The AVI link that begins at `start`: one RIFF chunk, followed by AVIX chunks in large files."""
    end = start
    while (head := read_at(file, end, 12))[:4] == b"RIFF" and (end == start or head[8:12] == b"AVIX"):
        count = int.from_bytes(head[4:8], "little")
        end += 8 + count + count % 2
    if end > size + 1:
        raise cut_off(name, f"{end - size} bytes are missing")
    joined = read_at(file, end, 12)
    return Link("avi", start, end if joined[:4] == b"RIFF" and joined[8:12] == b"AVI " else size)
