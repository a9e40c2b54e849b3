"""Expands the paths of a command: files, folders, globs and manifests; reports folders that cannot be searched."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from glob import glob, has_magic
from itertools import takewhile
from pathlib import Path

from speech.data.manifest import read_manifest
from speech.errors import AudioError, FileError
from speech.files import printable, reason

STDIN = "-"
"""Path that means standard input."""
SUFFIXES = frozenset(
    ".wav .flac .ogg .oga .opus .mp3 .m4a .mp4 .aac .webm .mkv .mov .aif .aiff .au .caf .wma .amr .3gp".split()
)
"""File name extensions that are searched for in folders; a file given by name is always tried."""


@dataclass(slots=True)
class Inputs:
    """The expanded files, and the folders that could not be searched."""

    files: list[str] = field(default_factory=list)
    """Each file once, in order."""
    unsearched: list[FileError] = field(default_factory=list)
    """One error for each folder that cannot be searched."""


def expand(paths: Sequence[str]) -> Inputs:
    """Expand `paths` to files: folders are searched for audio, and manifests list it.

    Raises:
        AudioError: if a path matches nothing.
        DataError: if a manifest is broken.
    """
    found: dict[str, None] = {}
    unsearched: dict[str, OSError] = {}
    for path in paths:
        before = len(unsearched)
        if path == STDIN:
            matches = [path]
        elif os.path.isdir(path):  # noqa: PTH112 (pathlib raises for names that are too long)
            matches = sorted(_audio(path, unsearched))
        elif path.endswith(".jsonl"):
            matches = [str(utterance.audio) for utterance in read_manifest(Path(path))]
        elif has_magic(path) and not os.path.lexists(path):
            matches = sorted(_globbed(path, unsearched))
        else:
            matches = [path]
        if not matches and len(unsearched) == before:
            raise AudioError("holds or matches no audio file", where=printable(path))
        found |= dict.fromkeys(matches)
    errors = [
        FileError(f"cannot be searched: {reason(error)}", where=printable(name)) for name, error in unsearched.items()
    ]
    return Inputs(list(found), errors)


def _audio(folder: str, unsearched: dict[str, OSError]) -> Iterator[str]:
    """Audio files, by extension, in a folder and below it."""
    for parent, _, names in _walk(folder, unsearched):
        for name in names:
            path = os.path.join(parent, name)  # noqa: PTH118
            if os.path.splitext(name)[1].lower() in SUFFIXES and _may_be_read(path):  # noqa: PTH122
                yield path


def _globbed(pattern: str, unsearched: dict[str, OSError]) -> Iterator[str]:
    """Files that match a pattern; for `**`, walks the folders too, since `glob` silently skips unreadable ones."""
    if "**" in pattern:
        parts = list(takewhile(lambda part: not has_magic(part), Path(pattern).parts))
        for _ in _walk(str(Path(*parts)) if parts else ".", unsearched):
            pass
    yield from (path for path in glob(pattern, recursive=True) if _may_be_read(path))  # noqa: PTH207


def _walk(folder: str, unsearched: dict[str, OSError]) -> Iterator[tuple[str, list[str], list[str]]]:
    def remember(error: OSError) -> None:
        unsearched[error.filename or folder] = error

    return os.walk(folder, onerror=remember)


def _may_be_read(path: str) -> bool:
    """True for a regular file, or if the path cannot be examined (reading will report why)."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116
    except OSError:
        return True
