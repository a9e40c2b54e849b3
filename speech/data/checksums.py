"""SHA-256 checksums of a corpus, in the format of `sha256sum`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from speech.errors import DataError
from speech.files import write_atomically
from speech.text.lines import read_lines

CHECKSUMS = "SHA256SUMS"


def write_checksums(folder: Path, files: Iterable[Path]) -> Path:
    """Write the checksums of files below a folder, atomically; returns the path of the list.

    Raises:
        FileError: if the list cannot be written.
    """
    folder = folder.absolute()
    names = sorted({path.absolute().relative_to(folder).as_posix() for path in files})
    text = "".join(f"{_digest(folder / name)}  {name}\n" for name in names)
    target = folder / CHECKSUMS
    write_atomically(target, text)
    return target


def verify(folder: Path) -> int:
    """Check all files of a folder against its list of checksums; returns their number.

    Raises:
        DataError: naming up to three files that are missing or changed, or if the list is missing or malformed.
        FileError: if the list cannot be read.
    """
    listed = folder / CHECKSUMS
    if not listed.is_file():
        raise DataError("no such file", where=str(listed), fix="Make the corpus anew.")
    faults: list[str] = []
    lines = read_lines(listed)
    for number, line in enumerate(lines, start=1):
        digest, _, name = line.partition("  ")
        if len(digest) != 64 or not name:
            raise DataError("is no checksum and name", where=f"{listed}:{number}")
        path = folder / name
        if not path.is_file():
            faults.append(f"{name} is missing")
        elif _digest(path) != digest:
            faults.append(f"{name} was changed")
    if faults:
        more = f", and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise DataError("; ".join(faults[:3]) + more, where=str(folder), fix="Make the corpus anew.")
    return len(lines)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
