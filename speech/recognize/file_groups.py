"""Transcribes many files, batching short ones; a bad file yields its error and does not stop the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from speech.audio import SAMPLE_RATE
from speech.audio.input.blocks import blocks_of, chain, take
from speech.errors import ConfigError, LanguageError, ModelError, SpeechError
from speech.files import printable, reason
from speech.transcript import Transcript

_OF_ALL_FILES = (ConfigError, LanguageError, ModelError)
"""Errors caused by the request, not by a file."""
_log = logging.getLogger(__name__)

Read = Callable[[Sequence[Iterable[np.ndarray]]], list[Transcript]]
"""Transcribes files given as blocks of samples."""
Result = tuple[str, Transcript | SpeechError]
"""A path and its transcript or error."""


def in_groups(
    paths: Sequence[str | Path], read: Read, group_s: float, channel: int | None, track: int | None
) -> Iterator[Result]:
    """Yield transcripts or errors of files, in their order.

    Args:
        paths: files, or "-" for standard input.
        read: transcribes several files at once.
        group_s: maximum seconds of short files held in memory and transcribed together.
        channel, track: to read from each file.

    Raises:
        ConfigError, LanguageError, ModelError: if the request cannot be fulfilled for any file.
    """
    group: list[tuple[str, list[np.ndarray]]] = []
    seconds = 0.0
    for path in paths:
        try:
            blocks = blocks_of(path, SAMPLE_RATE, channel, track)
            first = list(take(blocks, group_s))
        except Exception as error:  # whatever the error, continue with the other files
            yield from _together(group, read)
            group, seconds = [], 0.0
            yield str(path), _failure(str(path), error)
            continue
        length = sum(map(len, first)) / SAMPLE_RATE
        if length >= group_s:  # long file: alone, as a stream
            yield from _together(group, read)
            group, seconds = [], 0.0
            yield str(path), _alone(str(path), chain(first, blocks), read)
            continue
        if seconds + length > group_s:
            yield from _together(group, read)
            group, seconds = [], 0.0
        group.append((str(path), first))
        seconds += length
    yield from _together(group, read)


def _together(group: list[tuple[str, list[np.ndarray]]], read: Read) -> Iterator[Result]:
    order = sorted(range(len(group)), key=lambda i: sum(map(len, group[i][1])))
    try:
        together = read([group[i][1] for i in order]) if group else []
    except _OF_ALL_FILES:
        raise
    except Exception:  # one bad file, or too little memory: retry one by one to find out which
        _log.debug("files could not be read together", exc_info=True)
        yield from ((path, _alone(path, blocks, read)) for path, blocks in group)
        return
    found = dict(zip(order, together, strict=True))
    for number, (path, _) in enumerate(group):
        yield path, found[number]


def _alone(path: str, blocks: Iterable[np.ndarray], read: Read) -> Transcript | SpeechError:
    try:
        return read([blocks])[0]
    except _OF_ALL_FILES:
        raise
    except Exception as error:
        return _failure(path, error)


def _failure(path: str, error: Exception) -> SpeechError:
    """Convert any exception to an error that names the file."""
    name = "standard input" if path == "-" else printable(path)
    if not isinstance(error, SpeechError):
        _log.debug("%s could not be read", name, exc_info=error)
        what = reason(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        return SpeechError(f"cannot be read: {what}", where=name)
    if path == "-":
        return type(error)(error.what, where=name, fix=error.fix)
    return error
