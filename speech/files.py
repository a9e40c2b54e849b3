"""Files and folders that appear whole or not at all; what the system refuses is one line: path and reason."""

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
    """What the system says, in lower case: "no space left on device"."""
    if isinstance(error, FileExistsError):  # of a folder that was to be made
        return "not a directory"
    return (error.strerror or str(error) or type(error).__name__).lower()


def name_is_refused(error: FileError) -> bool:
    """Whether the system refuses a file's name, such as one that is too long: other files can still be written."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in _OF_NAMES


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, which takes its place when the block ends; after an error nothing is left.

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
    """A temporary folder that takes the place of `directory` when the block ends; after an error nothing is left.

    Raises:
        FileError: if the system refuses to write it.
    """
    check_writable(directory.parent)
    temporary = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
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
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def partial_file(folder: Path) -> Iterator[Path]:
    """An empty hidden file in a folder, which is made where there is none; gone when the block ends, unless renamed.

    For a file whose name is known only once it is written; see `replacing`. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, prefix=".", suffix=".partial")
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def write_atomically(path: Path, content: str | bytes) -> None:
    """The file appears whole or not at all; text is UTF-8. Devices and pipes are written to, and stay what they are.

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
    """Whether there is a device or pipe, such as /dev/stdout."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def check_writable(folder: Path) -> None:
    """Try a folder before long work begins: it is made if it is not there, and a file is written and removed.

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
    """Try a file before long work begins: it is opened, and a byte is read; of pipes nothing is taken.

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
    """The text of a UTF-8 file.

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
    """A file's name as it can be printed: bytes of it that are not UTF-8 become \\xNN, control characters too."""
    try:
        text = os.fsencode(name).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # halves of a pair that no name can have
        text = os.fspath(name).encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
