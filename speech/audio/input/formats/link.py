"""One complete file within a chained file, and helpers to inspect it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from speech.errors import AudioError

FEW = 4096
"""Maximum bytes after the audio that may be a tag or padding."""
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Link:
    """One complete file within a chained file: bytes `start` to `end`."""

    kind: str
    """wav, aiff, w64, au, caf, flac, ogg, ogg_many (several streams, or missing pages), mp4, matroska, flv, avi,
    mpegts; "" for all other formats."""
    start: int
    end: int
    whole: float = 1.0
    """Ratio of expected to present bytes of samples; above 1 if the file is truncated."""
    open_end: bool = False
    """The header does not contain the length."""
    promised_s: float = 0.0
    """Duration in seconds according to the header; 0 if unknown."""


def read_at(file: BinaryIO, place: int, count: int) -> bytes:
    file.seek(place)
    return file.read(count)


def rest_is_empty(file: BinaryIO, start: int, end: int, most: int = FEW) -> bool:
    """Whether bytes `start` to `end` are at most `most`, or all zero."""
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
