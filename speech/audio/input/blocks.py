"""Samples of whatever users name: a file, standard input or an array, in blocks that are asked for as they are read."""

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
    """Mono samples at 16 kHz of a file, of standard input ("-") or of an array.

    Args:
        source: path, "-", or samples `(n,)` or `(n, channels)` at `rate` Hz.
        rate: of an array.
        channel: the one to hear, from 0; None: the mean of all.
        track: of audio of a file, from 0; None: the default one.
        max_s: most seconds; None: any.

    Raises:
        AudioError: if it cannot be read, is longer, or has no such channel or track.
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
    """The first blocks, up to that in which so many seconds are over."""
    count = 0
    for block in blocks:
        yield block
        count += len(block)
        if count >= seconds * SAMPLE_RATE:
            return


def chain(first: list[np.ndarray], rest: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Those that have been taken, and what follows."""
    yield from first
    yield from rest
