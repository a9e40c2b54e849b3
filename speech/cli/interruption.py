"""Makes Ctrl-C quiet at any moment, with exit code 130: during imports, during a command, and at exit.

This module imports nothing heavy, because it has to take effect first.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

INTERRUPTED = 130
"""Exit code after Ctrl-C, as in shells: 128 + the signal number."""


def end_at_once() -> None:
    """Make Ctrl-C end the process at once; for times when there is nothing to clean up.

    An import that is interrupted may turn the interruption into another error, or swallow it.
    """
    signal.signal(signal.SIGINT, _end)
    sys.unraisablehook = _unraisable


def clean_up_first() -> None:
    """Undo `end_at_once`: Ctrl-C raises KeyboardInterrupt again, so that temporary files and workers are removed."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def loading() -> Iterator[None]:
    """Make Ctrl-C end the process at once while a running command imports modules."""
    ours = sys.unraisablehook is _unraisable
    if ours:
        end_at_once()
    try:
        yield
    finally:
        if ours:
            clean_up_first()


def end_interrupted() -> NoReturn:
    """Flush the output and end the process at once with the exit code.

    Python would instead raise the signal again if it arrived while a library was running a string of code.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(INTERRUPTED)


def was_interrupted(error: BaseException | None) -> bool:
    """Whether an error was caused by KeyboardInterrupt."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _end(_signal: int, _frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)


def _unraisable(found: Any) -> None:
    """Exit on a KeyboardInterrupt in a destructor or callback, where Python would only print and ignore it."""
    if isinstance(found.exc_value, KeyboardInterrupt):
        os._exit(INTERRUPTED)
    sys.__unraisablehook__(found)
