"""The commands of `speech`, each imported when it is called or when its help is requested."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from speech.cli.console import USAGE, run, show_warnings
from speech.cli.interruption import INTERRUPTED, clean_up_first, end_at_once, end_interrupted
from speech.errors import ConfigError
from speech.extras import needs_extra

COMMANDS = {
    "transcribe": ("speech.cli.transcribe:transcribe", "Transcribe audio: files, folders, or standard input."),
    "say": ("speech.cli.say:say", "Say a text with the voice of the package, or another."),
    "voice": ("speech.cli.voice:voice", "Blend and clone voices; keep them as files or with a model."),
    "interpret": ("speech.cli.interpret:interpret", "Say a recording in another language, in time with it."),
    "align": ("speech.cli.align:align", "Align a known text with speech: times and confidences."),
    "demo": ("speech.cli.demo:demo", "Transcribe the shipped clips and compare with their references."),
    "models": ("speech.cli.models:models", "Describe a model: size, languages, translation targets."),
    "score": (
        "speech.cli.score:score",
        "Score transcripts, or spoken texts: error rates, meaning, latency.",
    ),
    "import": (
        "speech.cli.import_model:import_model",
        "Convert a published OWSM-CTC or Whisper model.",
    ),
    "export": (
        "speech.cli.export:export_model",
        "Write ONNX graphs of a model and check their results.",
    ),
    "trim": ("speech.cli.trim:trim_model", "Make a model smaller: keep the tokens that some texts need."),
    "targets": ("speech.cli.targets:measure_targets", "Measure which languages a model translates into."),
    "watermark": ("speech.cli.watermark:watermark", "Embed an inaudible watermark in speech, or detect one."),
    "adapters": ("speech.cli.adapters:adapters", "List, add, remove, merge and transfer language adapters."),
}
"""Name -> import path and one-line help for the list of commands."""
PLUGINS = "speech.commands"
"""Entry point group by which other packages, such as `serve`, add commands."""


class LazyCommand(TyperCommand):
    """Placeholder for a command that is not imported yet.

    Args:
        name: name of the command.
        load: imports the command.
        help: one-line help.
    """

    def __init__(self, name: str, load: Callable[[], Any], help: str) -> None:
        super().__init__(name, help=help, rich_markup_mode=None)
        self._load = load

    def get_short_help_str(self, limit: int = 45) -> str:
        """The whole help line; it may wrap."""
        return self.help or ""

    def make_context(self, *args: Any, **options: Any) -> Any:
        """Import the command and return its context; from here on Ctrl-C lets the command clean up."""
        command = self._load()
        clean_up_first()
        return command.make_context(*args, **options)


class SectionedCommand(TyperCommand):
    """A command whose help groups options under headings (typer's `rich_help_panel`), as plain text."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments first, then each heading in the order of its first option."""
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                usual = "Arguments" if parameter.param_type_name == "argument" else "Options"
                heading = getattr(parameter, "rich_help_panel", None) or usual
                sections.setdefault(heading, []).append(record)
        for heading, records in sections.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)


class Commands(TyperGroup):
    """Group of the built-in commands, followed by those of plugins."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*COMMANDS, *(name for name in _plugins() if name not in COMMANDS)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in COMMANDS:
            target, help = COMMANDS[cmd_name]
            return LazyCommand(cmd_name, partial(_load, cmd_name, target), help)
        plugin = _plugins().get(cmd_name)
        return None if plugin is None else LazyCommand(cmd_name, partial(_load_plugin, plugin), _summary(plugin))

    def make_context(self, *args: Any, **options: Any) -> Any:
        with _usage_errors():
            return super().make_context(*args, **options)

    def invoke(self, ctx: Any) -> Any:
        with _usage_errors():
            return super().invoke(ctx)


@contextmanager
def _usage_errors() -> Iterator[None]:
    """Set exit code 64 for usage errors, because 2 means that some files failed."""
    try:
        yield
    except Exception as error:
        # typer may bundle its own copy of click or use click itself; in both cases these attributes mark a usage error.
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            error.exit_code = USAGE
        raise


def _load(name: str, target: str) -> Any:
    module, _, attribute = target.partition(":")
    return _as_command(name, getattr(import_module(module), attribute))


def _load_plugin(plugin: EntryPoint) -> Any:
    """Import a plugin's command. Raises ConfigError if a package that it needs is not installed."""
    try:
        return _as_command(plugin.name, plugin.load())
    except ModuleNotFoundError as error:
        owner = plugin.module.partition(".")[0]
        if (error.name or "").partition(".")[0] in {owner, "speech"}:
            raise
        extras = (plugin.dist.metadata.get_all("Provides-Extra") or []) if plugin.dist is not None else []
        fix = needs_extra(owner) if owner in extras else None
        raise ConfigError(f"needs the package {error.name}", where=f"speech {plugin.name}", fix=fix) from error


def _as_command(name: str, found: Any) -> Any:
    if isinstance(found, typer.Typer):
        group = get_command(found)
        group.name = name
        return group
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command(name, cls=SectionedCommand)(found)
    return get_command(single)


@cache
def _plugins() -> dict[str, EntryPoint]:
    return {plugin.name: plugin for plugin in entry_points(group=PLUGINS)}


def _summary(plugin: EntryPoint) -> str:
    """First line of a command's docstring, read from the source, since importing a server takes seconds."""
    try:
        spec = find_spec(plugin.module)
        source = Path(spec.origin).read_bytes() if spec is not None and spec.origin else b""
        tree = ast.parse(source)
    except (ImportError, OSError, SyntaxError, ValueError):
        return ""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == plugin.attr:
            return (ast.get_docstring(node) or "").partition("\n")[0]
    return ""


app = typer.Typer(cls=Commands, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.callback(no_args_is_help=True)
def speech() -> None:
    """Streaming multilingual speech recognition: transcribe, serve, score and adapt.

    Exit codes: 0 success, 1 an error ended the command, 2 some files failed and the others are done, 64 wrong usage,
    130 Ctrl-C, 141 the output was closed.
    """


def main() -> None:
    """Run a command and end the process."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # whatever the locale, JSON and subtitles are UTF-8
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    show_warnings()
    try:
        run(app)
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            end_interrupted()
        raise
    finally:
        end_at_once()
