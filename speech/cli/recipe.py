"""Entry point of recipes: errors become one line on stderr and an exit code, not a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from speech.cli.console import say_error, stderr
from speech.cli.interruption import INTERRUPTED
from speech.errors import FileError, SpeechError
from speech.files import printable, reason


def start_command(main: Callable[..., None]) -> None:
    """Run a recipe as a typer command, with its parameters as options."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    with reported():
        app()


def expected(error: Exception) -> SpeechError | None:
    """Convert an error of the user or the system to a SpeechError; None for a bug of the program."""
    if isinstance(error, SpeechError):
        return error
    if isinstance(error, OSError):
        name = error.filename
        where = printable(os.fsdecode(name)) if isinstance(name, str | bytes | Path) else None
        return FileError(f"cannot be read or written: {reason(error)}", where=where)
    return None


@contextmanager
def reported(
    named: Callable[[Exception], SpeechError | None] = expected, farewell: Callable[[], str] = str
) -> Iterator[None]:
    """Turn expected errors into one line and exit code 1; Ctrl-C is quiet, with exit code 130.

    Args:
        named: converts an error to the one to print; None leaves a traceback.
        farewell: returns the message to print after Ctrl-C; empty prints nothing.
    """
    try:
        yield
    except KeyboardInterrupt:
        said = farewell()
        if said:
            stderr().print(said)
        sys.exit(INTERRUPTED)
    except Exception as error:
        found = named(error)
        if found is None:
            raise
        say_error(found)
        sys.exit(1)
