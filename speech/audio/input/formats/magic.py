"""Detect formats by their first bytes, so that none of them is decoded as raw PCM.

Raw PCM has no signature: any bytes could be samples. So each signature here has at least four bytes at a fixed offset.
MP3 and ADTS AAC frames have a sync word of only eleven bits; they are detected by three consecutive headers of one
kind, each at the offset that the previous frame's size gives.
"""

from __future__ import annotations

from speech.audio.input.formats.mpeg_audio import frame_head

_HEADS = 3
_MARKS = (
    (b"ftyp", 4, "MP4"),
    (b"moov", 4, "MP4"),
    (b"fLaC", 0, "FLAC"),
    (b"FORM", 0, "AIFF"),
    (b"caff", 0, "CAF"),
    (b"#!AMR", 0, "AMR"),
    (b"ADIF", 0, "AAC"),
    (b"FLV\x01", 0, "FLV"),
    (b"RF64", 0, "RF64"),
    (b"riff\x2e\x91\xcf\x11", 0, "W64"),
    (b".snd\0\0", 0, "AU"),
    (b"wvpk", 0, "WavPack"),
    (b"MAC ", 0, "Monkey's Audio"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", 0, "WMA (ASF)"),
)


def known_format(data: bytes) -> str | None:
    """Return the name of the format that `data` begins; "" for none of these, None if more bytes are needed."""
    waiting = False
    for mark, place, name in _MARKS:
        if place and data[:2] != b"\0\0"[: len(data)]:  # size of the first box, which is small
            continue
        if data[place : place + len(mark)] == mark:
            return name
        waiting |= len(data) < place + len(mark) and mark.startswith(data[place:])
    for found in (_tag(data), _frames(data)):
        if found:
            return found
        waiting |= found is None
    return None if waiting else ""


def _tag(data: bytes) -> str | None:
    """Detect MP3 by an ID3 tag with valid version, flags and size (ID3v2.4, section 3.1)."""
    if not b"ID3".startswith(data[:3]):
        return ""
    limits = (4, 0xFE, 0xFF, 0x7F, 0x7F, 0x7F, 0x7F)
    if any(byte > limit for byte, limit in zip(data[3:10], limits, strict=False)) or (len(data) > 3 and data[3] < 2):
        return ""
    return "MP3" if len(data) >= 10 else None


def _frames(data: bytes) -> str | None:
    place, kind = 0, None
    for _ in range(_HEADS):
        rest = data[place : place + 7]
        head = frame_head(rest)
        if head is None:
            possible = len(rest) < 7 and rest[:1] in (b"", b"\xff") and (len(rest) < 2 or rest[1] >= 0xE0)
            return None if possible else ""
        if kind not in (None, head.kind):
            return ""
        kind, place = head.kind, place + head.size
    return "" if kind is None else "AAC" if kind[0] == "aac" else kind[0].removesuffix("float").upper()
