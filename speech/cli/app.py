"""Entry point of `speech`; handles Ctrl-C quietly before anything else is imported."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # what `signal` is made of, which imports more than all this
import os
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from speech.cli.commands import app as app

_COMMANDS = "speech.cli.commands"


def main() -> None:
    """Run a command and end the process; takes over signals, warnings and standard output."""
    _signal.signal(_signal.SIGINT, lambda *_: os._exit(130))
    import_module("speech.cli.interruption").end_at_once()
    import_module(_COMMANDS).main()


def __getattr__(name: str) -> Any:
    """Import `app`, the typer commands, on first use (PEP 562)."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(_COMMANDS).app


if __name__ == "__main__":
    main()
