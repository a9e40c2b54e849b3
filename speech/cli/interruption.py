"""Ctrl-C at any moment is quiet, with exit code 130: while modules are imported, while a command works, at the end.

Nothing heavy is imported here: it has to be in force first.
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
"""Exit code after Ctrl-C, as shells count: 128 and the signal."""


def end_at_once() -> None:
    """From now on Ctrl-C ends the process at once: where nothing has begun or all is done, so nothing is left behind.

    An import that is broken off may turn the interruption into another error, or swallow it.
    """
    signal.signal(signal.SIGINT, _end)
    sys.unraisablehook = _unraisable


def clean_up_first() -> None:
    """From now on it raises KeyboardInterrupt, so that temporary files and workers go; if `end_at_once` was called."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def loading() -> Iterator[None]:
    """While modules are imported by a command that has begun, Ctrl-C ends at once again."""
    ours = sys.unraisablehook is _unraisable
    if ours:
        end_at_once()
    try:
        yield
    finally:
        if ours:
            clean_up_first()


def end_interrupted() -> NoReturn:
    """End with the exit code, at once.

    Python would repeat the signal instead where a library was running a string of code when it came.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(INTERRUPTED)


def was_interrupted(error: BaseException | None) -> bool:
    """Whether an error is what a library has made of an interruption."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _end(_signal: int, _frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)


def _unraisable(found: Any) -> None:
    """In destructors and callbacks an interruption would be printed and forgotten."""
    if isinstance(found.exc_value, KeyboardInterrupt):
        os._exit(INTERRUPTED)
    sys.__unraisablehook__(found)
