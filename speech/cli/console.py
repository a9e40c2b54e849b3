"""What commands say on stderr: plain text, in which nothing is markup."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.text import Text

from speech.errors import SpeechError


def stderr() -> Console:
    """A console for messages; brackets and colons in names and texts stay what they are."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def say_error(error: SpeechError, kind: str = "error") -> None:
    """One line: the kind in red, then what is wrong, where, and what to do."""
    stderr().print(Text.assemble((f"{kind}:", "red"), f" {error}"))


def run(command: Callable[[], Any]) -> Any:
    """Call `command`: a `SpeechError` is one line and exit code 1, Ctrl-C is quiet and 130."""
    try:
        return command()
    except SpeechError as error:
        say_error(error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
