"""Streams of bytes in blocks."""

from itertools import pairwise


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    """The stream in blocks, none of them empty, cut at any numbers modulo its length."""
    ends = sorted({place % (len(stream) + 1) for place in places} | {0, len(stream)})
    return [stream[begin:end] for begin, end in pairwise(ends)]
