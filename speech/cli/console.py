"""What commands print: plain text, in which nothing is markup; what the system refuses is one line."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, TextIO

from speech.cli.interruption import INTERRUPTED, was_interrupted
from speech.errors import FileError, SpeechError
from speech.files import printable, reason

if TYPE_CHECKING:
    from rich.console import Console

# rich takes as long to import as everything else that `speech --help` needs: it is imported where something is printed.

FAILED = 1
"""Exit code of an error that ends a command."""
SOME_FAILED = 2
"""Exit code when at least one file could not be transcribed; the others are done."""
USAGE = 64
"""Exit code of commands and options that do not exist or have values of another kind (EX_USAGE of sysexits.h)."""
CLOSED_PIPE = 141
"""Exit code when nobody reads what is printed any more, as in `| head -1`: 128 and SIGPIPE, as shells count."""
_log = logging.getLogger(__name__)


class StandardOutput:
    """The stream that is standard output at the time; what it refuses is an error that a user understands."""

    encoding = "utf-8"

    @property
    def _stream(self) -> TextIO:
        # While rich shows something that moves, it puts its own stream there, which prints through us.
        found: TextIO = getattr(sys.stdout, "rich_proxied_file", sys.stdout)
        return found

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Raises FileError if the system refuses, and ends quietly where nobody reads."""
        try:
            return self._stream.write(text)
        except OSError as error:
            raise _refused(error) from error

    def flush(self) -> None:
        """As `write`."""
        try:
            self._stream.flush()
        except OSError as error:
            raise _refused(error) from error


def _refused(error: OSError) -> BaseException:
    _discard(1)
    if isinstance(error, BrokenPipeError):
        return SystemExit(CLOSED_PIPE)
    return FileError(f"cannot be written: {reason(error)}", where="standard output")


def _discard(descriptor: int) -> None:
    """What is still in its buffer goes nowhere, or Python would complain of it in the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


@cache
def stderr() -> Console:
    """The console for messages; brackets and colons in names and texts stay what they are."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def stdout() -> Console:
    """A console for results, tables too; brackets and colons in names and texts stay what they are."""
    from rich.console import Console

    return Console(file=StandardOutput(), highlight=False, markup=False, emoji=False, soft_wrap=True)  # type: ignore[arg-type]


def write(text: str) -> None:
    """Put text on standard output as it is, at once.

    Raises:
        FileError: if the system refuses.
    """
    out = StandardOutput()
    out.write(text)
    out.flush()


def to_json(data: Any, *, where: str | None = None, indent: int | None = None) -> str:
    """One value as JSON.

    Raises:
        SpeechError: if a number is not finite, for which JSON has no word.
    """
    try:
        return json.dumps(data, ensure_ascii=False, allow_nan=False, indent=indent)
    except ValueError as error:
        raise SpeechError(
            "has a number that is not finite", where=where, fix="Use another model, or --precision float32."
        ) from error


def say_error(error: SpeechError, kind: str = "error") -> None:
    """One line: the kind in red, then what is wrong, where, and what to do."""
    _say(kind, "red", str(error))


def _say(kind: str, colour: str, text: str) -> None:
    from rich.text import Text

    stderr().print(Text.assemble((f"{kind}:", colour), f" {' '.join(text.splitlines())}"))


class _Warnings(logging.Handler):
    """Warnings of the package as one line each, above a bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        _say(record.levelname.lower(), "yellow", record.getMessage())


def show_warnings() -> None:
    """Warnings that the package logs reach the user."""
    logger = logging.getLogger("speech")
    if not any(isinstance(handler, _Warnings) for handler in logger.handlers):
        logger.addHandler(_Warnings(logging.WARNING))
        logger.propagate = False


def run(command: Callable[[], Any]) -> Any:
    """A `SpeechError` and what the system refuses are one line and exit code 1, Ctrl-C is quiet and 130."""
    try:
        try:
            return command()
        finally:
            StandardOutput().flush()
    except SpeechError as error:
        say_error(error)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except OSError as error:
        _log.debug("the system refuses", exc_info=True)
        where = printable(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
        say_error(SpeechError(reason(error), where=where))
    except Exception as error:
        if was_interrupted(error):
            sys.exit(INTERRUPTED)
        raise
    sys.exit(FAILED)
