"""Bars of work under way."""

from __future__ import annotations

from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn

from speech.cli.console import stderr


def progress(*more: ProgressColumn) -> Progress:
    """Bars on stderr that go when they are done; nothing where nobody watches.

    Args:
        more: columns behind the usual ones.
    """
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = stderr()
    return Progress(*columns, *more, console=console, transient=True, disable=not console.is_terminal)
