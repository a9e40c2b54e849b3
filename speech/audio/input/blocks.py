"""Lazy blocks of samples from a file, standard input or an array."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from speech.audio import SAMPLE_RATE
from speech.audio.input.files import stream_audio, to_mono_16k
from speech.audio.input.source import STANDARD_INPUT
from speech.errors import AudioError


def blocks_of(
    source: str | Path | np.ndarray, rate: int, channel: int | None, track: int | None, max_s: float | None = None
) -> Iterator[np.ndarray]:
    """Yield blocks `(n,)` of mono samples at 16 kHz from a file, standard input ("-") or an array.

    Args:
        source: path, "-", or samples `(n,)` or `(n, channels)` at `rate` Hz.
        rate: sample rate of an array, in Hz.
        channel: use this channel, from 0; None: the mean of all.
        track: audio track of a file, from 0; None: the file's default.
        max_s: maximum duration in seconds; None: no limit.

    Raises:
        AudioError: if the source cannot be read, is longer than `max_s`, or has no such channel or track.
    """
    if isinstance(source, np.ndarray):
        if track not in (None, 0):
            raise AudioError(f"has no track {track}", where="array", fix="Only files have tracks.")
        samples = to_mono_16k(source, rate, channel)
        if max_s is not None and len(samples) > max_s * SAMPLE_RATE:
            raise AudioError(f"has more than {max_s:g} s", where="array", fix="Cut it.")
        yield samples
    elif str(source) != "-":
        yield from stream_audio(source, channel=channel, track=track, max_s=max_s)
    elif sys.stdin is None:
        raise AudioError("is closed", where=STANDARD_INPUT)
    else:
        pipe = sys.stdin.buffer
        yield from stream_audio(pipe, channel=channel, track=track, max_s=max_s, name=STANDARD_INPUT)


def take(blocks: Iterator[np.ndarray], seconds: float) -> Iterator[np.ndarray]:
    """Yield the first blocks, up to and including the one that reaches `seconds`."""
    count = 0
    for block in blocks:
        yield block
        count += len(block)
        if count >= seconds * SAMPLE_RATE:
            return


def chain(first: list[np.ndarray], rest: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the blocks already taken, then the rest."""
    yield from first
    yield from rest
