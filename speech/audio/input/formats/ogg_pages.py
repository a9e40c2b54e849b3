"""Walk the pages of an Ogg file (RFC 3533): find chained streams and check that each page is complete.

Decoders silently skip damaged pages, so this module checks checksums and page numbers.
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
    """One link: the multiplexed streams that begin at byte `start`."""

    start: int
    numbers: dict[int, int] = field(default_factory=dict)
    """Serial number of a stream -> number of its newest page."""
    open: set[int] = field(default_factory=set)
    """Serial numbers of streams whose last page has not appeared."""
    begun: bool = False
    """Whether a page other than a stream's first has appeared."""
    holes: bool = False


def ogg_checksum(page: bytes) -> int:
    """CRC of a page whose checksum field is zero: zlib's CRC with bit-reversed bytes and result, starting from 0."""
    crc = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{crc:032b}"[::-1], 2)


def ogg_links(file: BinaryIO, start: int, size: int, name: str) -> list[tuple[int, int, bool]]:
    """List (start, end, whether it is a single stream without missing pages) of each link.

    Raises:
        AudioError: if a page is truncated or damaged.
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
            return  # a tag after the audio
        lacing = file.read(head[26]) if len(head) == _HEAD else b""
        body = file.read(sum(lacing))
        if len(head) < _HEAD or len(lacing) < head[26] or len(body) < sum(lacing):
            raise AudioError("is cut off: it ends within an Ogg page", where=name, fix="Copy or download it again.")
        if ogg_checksum(head[:22] + bytes(4) + head[26:] + lacing + body) != int.from_bytes(head[22:26], "little"):
            found = f"is damaged: the checksum of the Ogg page at byte {place} is wrong"
            raise AudioError(found, where=name, fix="Copy or download it again.")
        yield place, head + lacing + body
        place += _HEAD + len(lacing) + len(body)
