"""Find the links of a chained file before decoding, and whether the last one is truncated.

Concatenated files form a chain, but decoders stop at the end of the first file. So this module walks the containers by
their own sizes. Each link is a complete file.
"""

from __future__ import annotations

from typing import BinaryIO

from speech.audio.input.formats.link import BLOCK, Link, cut_off, read_at
from speech.audio.input.formats.ogg_pages import ogg_links
from speech.audio.input.formats.riff import au_link, chunked_layout, chunked_link
from speech.audio.input.formats.video import EBML, MP4_FIRST, avi_link, flv_link, matroska_link, mp4_links
from speech.errors import AudioError

_MOST_LINKS = 10_000
_TS_PACKET = 188


def links(file: BinaryIO, size: int, name: str) -> list[Link]:
    """List the links of a file of `size` bytes, in order.

    Raises:
        AudioError: if the last link is truncated, the data after a link is unknown, or there are too many links.
    """
    found: list[Link] = []
    start = 0
    while start < size:
        if len(found) == _MOST_LINKS:
            raise AudioError(f"is joined of more than {_MOST_LINKS} files", where=name)
        more = _links_from(file, start, size, name)
        if found and not more[0].kind:
            break  # tags and padding; more than that has already raised in the walk of the previous link
        found += more
        start = more[-1].end
    return found


def _links_from(file: BinaryIO, start: int, size: int, name: str) -> list[Link]:
    head = read_at(file, start, 40)
    if head.startswith(b"OggS"):
        pages = ogg_links(file, start, size, name)
        return [Link("ogg" if simple else "ogg_many", begin, end) for begin, end, simple in pages]
    if (layout := chunked_layout(head)) is not None:
        return [chunked_link(file, start, size, layout, name)]
    if head[:4] == b".snd" and len(head) >= 24:
        return [au_link(file, start, size)]
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return [avi_link(file, start, size, name)]
    if head[:4] == b"FLV\x01":
        return [flv_link(file, start, size, name)]
    flac = start + _id3_size(head)
    if read_at(file, flac, 4) == b"fLaC":
        return _flac(file, start, flac, size)
    if head[4:8] in MP4_FIRST:
        return mp4_links(file, start, size, name)
    if head.startswith(EBML):
        return [matroska_link(file, start, size, name)]
    if head[:1] == b"G" and all(read_at(file, start + n * _TS_PACKET, 1) == b"G" for n in (1, 2, 3)):
        if (size - start) % _TS_PACKET:
            raise cut_off(name, f"it ends within a packet of the transport stream, of {_TS_PACKET} bytes")
        return [Link("mpegts", start, size)]
    return [Link("", start, size)]


def _id3_size(head: bytes) -> int:
    """Bytes of an ID3 tag at the start of a file, 0 if there is none. The size field has four bytes of seven bits."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    footer = 10 * bool(head[5] & 0x10)
    return 10 + footer + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))


# FLAC


_STREAMINFO = (b"fLaC\x00\x00\x00\x22", b"fLaC\x80\x00\x00\x22")


def _flac(file: BinaryIO, start: int, first: int, size: int) -> list[Link]:
    """Links of concatenated FLAC files. FLAC stores no size, so each link starts at the eight-byte FLAC signature."""
    begins, overlap, place = [first], b"", first + 8
    file.seek(place)
    while block := file.read(BLOCK):
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
        info = read_at(file, begin + 18, 8)
        rate = int.from_bytes(info[:3]) >> 4
        count = int.from_bytes(info[3:8]) & (1 << 36) - 1
        promised_s = count / rate if rate and len(info) == 8 else 0.0
        found.append(Link("flac", start if begin == first else begin, end, promised_s=promised_s))
    return found
