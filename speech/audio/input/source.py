"""Open a path, pipe, bytes or open file as a seekable file.

A pipe, socket or terminal is first read to its end into a temporary file.
"""

from __future__ import annotations

import io
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from speech.errors import AudioError
from speech.files import printable, reason

Source = str | Path | bytes | BinaryIO
STANDARD_INPUT = "standard input"
_IN_MEMORY = 16 << 20
_MOST_FROM_PIPE = 4 << 30
_BLOCK = 1 << 20


class Slice(io.RawIOBase):
    """File object over bytes `start` to `end` of an open file; closing it does not close the file.

    libsndfile swallows exceptions of its file. So `failure` keeps the system's read error, and later reads return no
    bytes.
    """

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        super().__init__()
        self._file, self._start, self._end = file, start, end
        self._place = start
        self.failure: OSError | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place - self._start

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = (self._start, self._place, self._end)[whence]
        self._place = max(base + offset, self._start)
        return self.tell()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        view = memoryview(buffer)
        count = min(len(view), max(self._end - self._place, 0))
        if not count or self.failure is not None:
            return 0
        try:
            self._file.seek(self._place)
            data = self._file.read(count)
        except OSError as error:
            self.failure = error
            return 0
        view[: len(data)] = data
        self._place += len(data)
        return len(data)

    def write(self, data: object) -> int:
        """Raise UnsupportedOperation; libsndfile only requires that the method exists."""
        raise io.UnsupportedOperation("write")


def name_of(source: Source) -> str:
    """Return the default name of a source in messages."""
    if isinstance(source, str | Path):
        return printable(source)
    if isinstance(source, bytes):
        return f"<{len(source)} bytes>"
    name = getattr(source, "name", "stream")
    return f"descriptor {name}" if isinstance(name, int) else printable(os.fspath(name))


@contextmanager
def opened(source: Source, name: str) -> Iterator[tuple[BinaryIO, int]]:
    """Context manager: the source as a seekable file, and its size in bytes.

    Raises:
        AudioError: if the source is missing, a directory, empty, unreadable, or a pipe of more than 4 GiB.
    """
    with ExitStack() as stack:
        try:
            file = _file(source, name, stack)
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
        except FileNotFoundError as error:
            raise AudioError("no such file", where=name) from error
        except IsADirectoryError as error:
            raise AudioError("is a directory, expected a file", where=name) from error
        except OSError as error:
            raise AudioError(f"cannot be read: {reason(error)}", where=name) from error
        except ValueError as error:  # a NUL in the path, or a file that is closed
            raise AudioError(f"cannot be read: {error}", where=name) from error
        if size == 0:
            raise AudioError("has no samples, there are 0 bytes", where=name)
        try:
            yield file, size
        except OSError as error:
            raise AudioError(f"cannot be read: {reason(error)}", where=name) from error


def _file(source: Source, name: str, stack: ExitStack) -> BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    file = stack.enter_context(Path(source).open("rb")) if isinstance(source, str | Path) else source  # noqa: SIM115
    if _can_be_sought(file):
        return file
    spool = cast(BinaryIO, stack.enter_context(tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)))  # noqa: SIM115
    count = 0
    while data := file.read(_BLOCK):
        count += len(data)
        if count > _MOST_FROM_PIPE:
            found = f"is a pipe of more than {_MOST_FROM_PIPE >> 30} GiB"
            raise AudioError(found, where=name, fix="Give a file, or cut it.")
        spool.write(data)
    return spool


def _can_be_sought(file: BinaryIO) -> bool:
    """Whether seeking works. Devices claim to be seekable but are not, so only regular files count."""
    try:
        return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except (OSError, AttributeError):  # not a file of the operating system; UnsupportedOperation is an OSError
        return file.seekable()
