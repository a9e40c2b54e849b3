"""Lines of text files. Only a line feed ends a line, with an optional carriage return before it.

The other separators of Python's `splitlines`, such as U+2028, U+2029, U+0085, form feeds and lone carriage returns, are
content: they occur within JSON strings, word lists and transcripts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from speech.errors import FileError
from speech.files import printable, reason

LONGEST = 1 << 28
"""Maximum bytes of a line; a longer one means that the file is not text."""


def lines_of(text: str) -> list[str]:
    """Split a text into lines, without line endings."""
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def byte_lines(path: Path) -> Iterator[bytes]:
    """Lazily yield the raw lines of a file, with line endings.

    Raises:
        FileError: if the file cannot be read, or has a line of more than `LONGEST` bytes.
    """
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(LONGEST + 1):
                number += 1
                if len(line) > LONGEST:
                    raise FileError(
                        f"has more than {LONGEST >> 20} MiB", where=f"{printable(path)}:{number}",
                        fix="Write each record on a line of its own.",
                    )  # fmt: skip
                yield line
    except OSError as error:
        raise FileError(f"cannot be read: {reason(error)}", where=printable(path)) from error


def read_lines(path: Path) -> list[str]:
    """Read the lines of a UTF-8 file, without line endings.

    Raises:
        FileError: if the file cannot be read, or a line is not UTF-8, has a zero byte, or is longer than `LONGEST`.
    """
    lines = []
    for number, line in enumerate(byte_lines(path), start=1):
        where = f"{printable(path)}:{number}"
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            found = f"is not UTF-8: byte {error.start} of the line is 0x{line[error.start]:02x}"
            raise FileError(found, where=where, fix="Save it as UTF-8.") from error
        if "\0" in text:
            raise FileError("is no text: it has a zero byte", where=where, fix="Save it as UTF-8.")
        lines.append(text.removesuffix("\n").removesuffix("\r"))
    return lines
