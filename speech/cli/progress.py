"""Progress bars."""

from __future__ import annotations

from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn

from speech.cli.console import stderr


def progress(*more: ProgressColumn) -> Progress:
    """Progress bars on stderr that vanish at the end; disabled if stderr is no terminal.

    Args:
        more: columns after the default ones.
    """
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = stderr()
    return Progress(*columns, *more, console=console, transient=True, disable=not console.is_terminal)
