"""`speech`: the commands."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points

import typer
from rich.console import Console

from speech.cli.adapters import adapters
from speech.cli.align import align
from speech.cli.demo import demo
from speech.cli.exporting import export_model
from speech.cli.importing import import_model
from speech.cli.measuring import measure_targets
from speech.cli.models import models
from speech.cli.score import score
from speech.cli.transcribe import transcribe
from speech.cli.trimming import trim_model
from speech.errors import SpeechError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Streaming multilingual speech: recognise it, identify languages, serve, train and score.",
)
app.command()(transcribe)
app.command()(align)
app.command()(demo)
app.command()(models)
app.command()(score)
app.command("import")(import_model)
app.command("export")(export_model)
app.command("trim")(trim_model)
app.command("targets")(measure_targets)
app.add_typer(adapters, name="adapters")
for plugin in entry_points(group="speech.commands"):  # `serve` adds its own; this package does not know it
    try:
        app.command(plugin.name)(plugin.load())
    except ModuleNotFoundError:  # its extra is not installed
        continue


def main() -> None:
    """Run a command; a `SpeechError` is one line and exit code 1."""
    try:
        app()
    except SpeechError as error:
        Console(stderr=True).print(f"[red]error:[/red] {error}", highlight=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
