"""The pages of an Ogg file (RFC 3533): where a chained stream ends and the next begins, and whether each page is whole.

Decoders leave out a damaged page without a word; so checksums and numbers are looked at here.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from speech.errors import AudioError

_log = logging.getLogger("speech.audio")
_HEAD = 27
_CONTINUED, _BEGINS, _ENDS = 1, 2, 4
_FEW = 4096
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(slots=True)
class _Chain:
    """The streams that run side by side from `start`."""

    start: int
    numbers: dict[int, int] = field(default_factory=dict)
    """Serial of a stream to the number of its last page."""
    open: set[int] = field(default_factory=set)
    """Serials whose last page has not come."""
    begun: bool = False
    """A page has come that is not the first of a stream."""
    holes: bool = False


def ogg_checksum(page: bytes) -> int:
    """CRC of a page whose own field is zero: zlib's with the bits of bytes and result the other way round, from 0."""
    crc = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{crc:032b}"[::-1], 2)


def ogg_links(file: BinaryIO, start: int, size: int, name: str) -> list[tuple[int, int, bool]]:
    """(start, end, whether it is one stream without holes) of each link.

    Raises:
        AudioError: a page is cut off or damaged.
    """
    found: list[tuple[int, int, bool]] = []
    chain = _Chain(start)
    end = start
    for place, page in _pages(file, start, size, name):
        kind, serial = page[5], int.from_bytes(page[14:18], "little")
        number = int.from_bytes(page[18:22], "little")
        if kind & _BEGINS:
            if chain.begun:
                found.append(_close(chain, place, name))
                chain = _Chain(place)
            chain.open.add(serial)
        else:
            chain.begun = True
            chain.holes |= number != chain.numbers.get(serial, number - 1) + 1
        chain.numbers[serial] = number
        if kind & _ENDS:
            chain.open.discard(serial)
        end = place + len(page)
    found.append(_close(chain, end, name))
    return found


def _close(chain: _Chain, end: int, name: str) -> tuple[int, int, bool]:
    if chain.open and chain.begun:
        _log.warning("%s: an Ogg stream ends without the mark of its end; it may be cut off", name)
    return chain.start, end, len(chain.numbers) == 1 and not chain.holes


def _pages(file: BinaryIO, start: int, size: int, name: str) -> Iterator[tuple[int, bytes]]:
    place = start
    while place < size:
        file.seek(place)
        head = file.read(_HEAD)
        if not head.startswith(b"OggS"[: len(head)]):
            if size - place > _FEW:
                found = f"is damaged: what stands at byte {place} is no Ogg page"
                raise AudioError(found, where=name, fix="Copy or download it again.")
            return  # a tag behind the audio
        lacing = file.read(head[26]) if len(head) == _HEAD else b""
        body = file.read(sum(lacing))
        if len(head) < _HEAD or len(lacing) < head[26] or len(body) < sum(lacing):
            raise AudioError("is cut off: it ends within an Ogg page", where=name, fix="Copy or download it again.")
        if ogg_checksum(head[:22] + bytes(4) + head[26:] + lacing + body) != int.from_bytes(head[22:26], "little"):
            found = f"is damaged: the checksum of the Ogg page at byte {place} is wrong"
            raise AudioError(found, where=name, fix="Copy or download it again.")
        yield place, head + lacing + body
        place += _HEAD + len(lacing) + len(body)
