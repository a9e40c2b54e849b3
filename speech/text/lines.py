"""Lines of text files. A line ends at a line feed, with or without a carriage return before it, and at nothing else.

What Python's `splitlines` splits at as well, U+2028, U+2029, U+0085, form feeds and lone carriage returns among it, is
content: JSON has it within texts, and so have word lists and transcripts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from speech.errors import FileError
from speech.files import printable, reason

LONGEST = 1 << 28
"""Bytes of a line; where one is longer, something else than text was given."""


def lines_of(text: str) -> list[str]:
    """The lines of a text, without what ends them."""
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def byte_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file as they are, with what ends them; each is read as it is asked for.

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
    """The lines of a UTF-8 file, without what ends them.

    Raises:
        FileError: if it cannot be read, or a line is not UTF-8 text.
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
