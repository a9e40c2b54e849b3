"""One whole file within a file that was joined of several, and how it is looked into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from speech.errors import AudioError

FEW = 4096
"""Bytes behind the audio that may be a tag or padding."""
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Link:
    """One whole file within a file."""

    kind: str
    """wav, aiff, w64, au, caf, flac, ogg, ogg_many (several streams, or holes), mp4, matroska, flv, avi; "" for
    the rest."""
    start: int
    end: int
    whole: float = 1.0
    """How many bytes of samples there should be for each that is there."""
    open_end: bool = False
    """The header does not know how long it is."""
    promised_s: float = 0.0
    """What the header says there is; 0 where it does not."""


def read_at(file: BinaryIO, place: int, count: int) -> bytes:
    file.seek(place)
    return file.read(count)


def rest_is_empty(file: BinaryIO, start: int, end: int, most: int = FEW) -> bool:
    """Whether what is left is little, or nothing but zeros."""
    if end - start <= most:
        return True
    file.seek(start)
    while start < end and (block := file.read(min(BLOCK, end - start))):
        if block.count(0) != len(block):
            return False
        start += len(block)
    return True


def cut_off(name: str, found: str) -> AudioError:
    return AudioError(f"is cut off: {found}", where=name, fix="Copy or download it again.")
