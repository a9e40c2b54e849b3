"""`speech`: what the shell calls. Ctrl-C is quiet before anything else is imported."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from speech.cli.interruption import end_at_once

if TYPE_CHECKING:
    from speech.cli.commands import app as app

_COMMANDS = "speech.cli.commands"


def main() -> None:
    """Run a command and end the process: it takes over signals, warnings and standard output."""
    end_at_once()
    import_module(_COMMANDS).main()


def __getattr__(name: str) -> Any:
    """`app`, the commands as typer knows them, is imported when it is first used (PEP 562)."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(_COMMANDS).app


if __name__ == "__main__":
    main()
