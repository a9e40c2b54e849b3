"""Console output of commands: plain text without markup; each user or system error is one line."""

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

# Importing rich takes as long as everything else that `speech --help` needs, so it is imported on first use.

FAILED = 1
"""Exit code of an error that ends a command."""
SOME_FAILED = 2
"""Exit code when at least one file could not be transcribed; the others are done."""
USAGE = 64
"""Exit code of commands and options that do not exist or have values of another kind (EX_USAGE of sysexits.h)."""
CLOSED_PIPE = 141
"""Exit code when the reader of standard output closes it, as in `| head -1`: 128 + SIGPIPE, as in shells."""
_log = logging.getLogger(__name__)


class StandardOutput:
    """The current `sys.stdout`; write errors become errors that a user understands."""

    encoding = "utf-8"

    @property
    def _stream(self) -> TextIO:
        # While rich shows a live display, sys.stdout is rich's proxy, which prints through this object.
        found: TextIO = getattr(sys.stdout, "rich_proxied_file", sys.stdout)
        return found

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write text. Raises FileError on a write error, and SystemExit if the pipe is closed."""
        try:
            return self._stream.write(text)
        except OSError as error:
            raise _refused(error) from error

    def flush(self) -> None:
        """Flush the stream; raises as `write` does."""
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
    """Redirect a descriptor to the null device, so that Python does not complain about buffered output at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


@cache
def stderr() -> Console:
    """The console for messages; brackets and colons in names and texts are printed literally."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def stdout() -> Console:
    """A console for results and tables; brackets and colons in names and texts are printed literally."""
    from rich.console import Console

    return Console(file=StandardOutput(), highlight=False, markup=False, emoji=False, soft_wrap=True)  # type: ignore[arg-type]


def write(text: str) -> None:
    """Write text to standard output unchanged and flush it.

    Raises:
        FileError: if it cannot be written.
    """
    out = StandardOutput()
    out.write(text)
    out.flush()


def to_json(data: Any, *, where: str | None = None, indent: int | None = None) -> str:
    """Serialize a value as JSON.

    Raises:
        SpeechError: if a number is not finite, which JSON cannot represent.
    """
    try:
        return json.dumps(data, ensure_ascii=False, allow_nan=False, indent=indent)
    except ValueError as error:
        raise SpeechError(
            "has a number that is not finite", where=where, fix="Use another model, or --precision float32."
        ) from error


def say_error(error: SpeechError, kind: str = "error") -> None:
    """Print one line: the kind in red, then the problem, where it is, and how to fix it."""
    _say(kind, "red", str(error))


def _say(kind: str, colour: str, text: str) -> None:
    from rich.text import Text

    stderr().print(Text.assemble((f"{kind}:", colour), f" {' '.join(text.splitlines())}"))


class _Warnings(logging.Handler):
    """Logging handler that prints each warning of the package as one line, above a progress bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        _say(record.levelname.lower(), "yellow", record.getMessage())


def show_warnings() -> None:
    """Show warnings that the package logs on stderr."""
    logger = logging.getLogger("speech")
    if not any(isinstance(handler, _Warnings) for handler in logger.handlers):
        logger.addHandler(_Warnings(logging.WARNING))
        logger.propagate = False


def run(command: Callable[[], Any]) -> Any:
    """Run a command: `SpeechError` and OSError become one line and exit code 1; Ctrl-C is quiet, with exit code 130."""
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
