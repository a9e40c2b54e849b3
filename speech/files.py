"""Atomic writing of files and folders. An error of the system becomes one line: path and reason."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from speech.errors import FileError

_OF_NAMES = {errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL}


def reason(error: OSError) -> str:
    """Return the system's error message in lower case: "no space left on device"."""
    if isinstance(error, FileExistsError):  # a file is where a folder should be made
        return "not a directory"
    return (error.strerror or str(error) or type(error).__name__).lower()


def name_is_refused(error: FileError) -> bool:
    """Whether the system refused the file's name, e.g. as too long; other files can still be written."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in _OF_NAMES


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Context manager: a temporary file beside `path`, renamed to `path` when the block ends, deleted on error.

    Raises:
        FileError: if the system refuses to write it.
    """
    try:
        with partial_file(path.parent) as temporary:
            yield temporary
            temporary.chmod(0o644)
            temporary.replace(path)
    except OSError as error:
        raise FileError(f"cannot be written: {reason(error)}", where=printable(path)) from error


@contextmanager
def replacing_folder(directory: Path) -> Iterator[Path]:
    """Context manager: a temporary folder that replaces `directory` when the block ends; deleted on error.

    Raises:
        FileError: if the system refuses to write it.
    """
    check_writable(directory.parent)
    try:
        with _partial_folder(directory) as temporary:
            yield temporary
            for path in (temporary, *temporary.rglob("*")):
                path.chmod(0o755 if path.is_dir() else 0o644)
            if directory.exists():
                older = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
                directory.rename(older / directory.name)
                temporary.rename(directory)
                shutil.rmtree(older, ignore_errors=True)
            else:
                temporary.rename(directory)
    except OSError as error:
        raise FileError(f"cannot be written: {reason(error)}", where=printable(directory)) from error


@contextmanager
def _partial_folder(directory: Path) -> Iterator[Path]:
    """Context manager: an empty hidden folder beside `directory`, deleted when the block ends unless renamed."""
    folder = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def partial_file(folder: Path) -> Iterator[Path]:
    """Context manager: an empty hidden file in `folder`, deleted when the block ends unless it was renamed.

    The folder is created if missing. Use it when the file's name is known only after writing; see `replacing`.

    Raises:
        OSError: if the system refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, prefix=".", suffix=".partial")
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file atomically; text is encoded as UTF-8. Devices and pipes are written in place, not replaced.

    Raises:
        FileError: if the system refuses to write it.
    """
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    if is_stream(path):
        try:
            path.write_bytes(data)
        except OSError as error:
            raise FileError(f"cannot be written: {reason(error)}", where=printable(path)) from error
        return
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def is_stream(path: Path) -> bool:
    """Whether the path is a device or pipe, such as /dev/stdout."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def check_writable(folder: Path) -> None:
    """Check a folder before long work begins: create it if missing, write a small file and remove it.

    Raises:
        FileError: if the system refuses.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".", suffix=".partial") as file:
            file.write(bytes(4096))
            file.flush()
    except OSError as error:
        raise FileError(f"cannot be written: {reason(error)}", where=printable(folder)) from error


def check_readable(path: Path) -> None:
    """Check a file before long work begins: open it and read one byte. Pipes are not read.

    Raises:
        FileError: if the system refuses.
    """
    try:
        if path.is_fifo():
            return
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise FileError(f"cannot be read: {reason(error)}", where=printable(path)) from error


def read_text(path: Path) -> str:
    """Read a UTF-8 text file, without its byte order mark.

    Raises:
        FileError: if it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise FileError(f"cannot be read: {reason(error)}", where=printable(path)) from error
    except UnicodeDecodeError as error:
        found = f"is not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}"
        raise FileError(found, where=printable(path), fix="Save it as UTF-8.") from error


def printable(name: str | os.PathLike[str]) -> str:
    """Return a file name for printing: invalid UTF-8 bytes and unprintable characters are escaped, e.g. as \\xNN."""
    try:
        text = os.fsencode(name).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # lone surrogates, which no file name can have
        text = os.fspath(name).encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
