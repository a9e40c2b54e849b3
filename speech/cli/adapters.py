"""`speech adapters`: list, add, remove, merge and transfer the adapters of a model or a running server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from speech.cli.adapter_server import AdapterServer
from speech.cli.console import stderr, stdout
from speech.cli.transfer import transfer_adapter
from speech.errors import ConfigError, FileError, LanguageError, ModelError
from speech.files import printable, reason
from speech.models.adapters.file import FOLDER, AdapterDescription, fingerprint
from speech.models.adapters.merge import SCORE, BestAdapter, merge
from speech.models.adapters.store import entries, put, remove
from speech.models.checkpoint import load_outline
from speech.models.hub import EMBEDDED, locate
from speech.text.languages import resolve

adapters = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="List, add, remove, merge and transfer language adapters.",
)

_Model = Annotated[str | None, typer.Option(help="Model: embedded, a directory, or a hub id. [default: embedded]")]
_Server = Annotated[
    str | None,
    typer.Option(help="Address of a running server to use instead of a model, such as http://127.0.0.1:8000."),
]
_Key = Annotated[str | None, typer.Option(envvar="SPEECH_API_KEY", help="API key, if the server requires one.")]


@adapters.command("list")
def list_adapters(
    model: Annotated[
        str | None, typer.Argument(help="Model: embedded, a directory, or a hub id. [default: embedded]")
    ] = None,
    server: _Server = None,
    api_key: _Key = None,
) -> None:
    """List adapters: language, size, scores."""
    running = _server(model, server, api_key)
    if running is not None:
        listing = running.listing()
        _show(stdout(), listing["data"], listing["parameters"], listing["model"])
        return
    folder = locate(model or EMBEDDED)
    found = entries(folder / FOLDER)
    base = fingerprint(folder) if found else ""
    for info in found:
        if info.base != base:
            text = f"is for another model: trained behind {info.base[:12]}, this is {base[:12]}"
            raise ModelError(text, where=str(info.path), fix="Remove or transfer it.")
    whole = sum(parameter.numel() for parameter in load_outline(folder).empty().parameters())
    _show(stdout(), [_record(info) for info in found], whole, str(folder))


@adapters.command("add")
def add_adapters(
    files: Annotated[list[Path], typer.Argument(help="Adapter files.")],
    model: _Model = None,
    server: _Server = None,
    api_key: _Key = None,
    force: Annotated[bool, typer.Option(help="Replace existing adapters of the same languages.")] = False,
) -> None:
    """Add adapters to a model, or to a running server, which uses them at once."""
    console = stderr()
    running = _server(model, server, api_key)
    folder = Path() if running is not None else locate(model or EMBEDDED)
    outline = None if running is not None else load_outline(folder).empty()
    for path in files:
        if running is not None:
            said = running.add(path, force=force)
            console.print(f"{server}: {_name(said['code'])}")
            continue
        info, _ = put(folder / FOLDER, _content(path), fingerprint(folder), outline, where=str(path), replace=force)
        console.print(f"{info.path}: {_name(info.language)}")


@adapters.command("remove")
def remove_adapters(
    codes: Annotated[list[str], typer.Argument(help="Languages, as codes or names.")],
    model: _Model = None,
    server: _Server = None,
    api_key: _Key = None,
) -> None:
    """Remove adapters of languages."""
    console = stderr()
    running = _server(model, server, api_key)
    for code in map(_code, codes):
        if running is not None:
            running.remove(code)
        else:
            remove(locate(model or EMBEDDED) / FOLDER, code)
        console.print(f"{_name(code)}: removed")


@adapters.command("merge")
def merge_adapters(
    paths: Annotated[list[Path], typer.Argument(help="Adapter files, or folders to search for them.")],
    to: Annotated[Path, typer.Option(help="Folder for the best adapter of each language; existing ones are replaced.")],
) -> None:
    """Choose each language's best checkpoint of a training run, by character error rate on dev."""
    choices = merge(paths)
    for choice in choices.values():
        put(to, _content(choice.file.path), choice.file.base, where=str(choice.file.path))
    console = stdout()
    console.print(_merged(choices))
    console.print(f"{to}: {len(choices)} adapters")


adapters.command("transfer")(transfer_adapter)


def _server(model: str | None, server: str | None, api_key: str | None) -> AdapterServer | None:
    if model is not None and server is not None:
        raise ConfigError("a model and --server exclude each other", fix="Give one of them.")
    return None if server is None else AdapterServer(server, api_key)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileError(f"cannot be read: {reason(error)}", where=printable(path)) from error


def _code(name: str) -> str:
    """Language code for a name; any three-letter code is accepted, since an adapter file may exist for it."""
    try:
        return resolve(name).code
    except LanguageError:
        if len(name) == 3 and name.isalpha():
            return name.lower()
        raise


def _name(code: str) -> str:
    try:
        return f"{resolve(code).name} ({code})"
    except LanguageError:
        return code


def _record(info: AdapterDescription) -> dict[str, Any]:
    return {
        "code": info.language,
        "layers": info.layers,
        "width": info.width,
        "tokens": len(info.tokens),
        "parameters": info.parameters,
        "bytes": info.size,
        "scores": info.scores,
    }


def _show(console: Console, records: Sequence[Mapping[str, Any]], whole: int, where: str) -> None:
    if not records:
        console.print(f"{where}: no adapters")
        return
    console.print(where)
    table = Table()
    for name in ("language", "layers", "width", "own tokens", "parameters", "of the base", "size", "scores"):
        table.add_column(name, justify="left" if name in ("language", "scores") else "right")
    for record in records:
        scores = (f"{key} {value:.4g}" for key, value in record["scores"].items())
        table.add_row(
            _name(record["code"]),
            _ranges(record["layers"]),
            str(record["width"]),
            str(record["tokens"]),
            f"{record['parameters']:,}",
            f"{record['parameters'] / whole:.2%}",
            f"{record['bytes'] / 1e6:.2f} MB",
            ", ".join(scores),
        )
    console.print(table)


def _ranges(numbers: Sequence[int]) -> str:
    """Format numbers as ranges: 1, 2, 3, 6 as "1-3, 6"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"{first}-{last}" if last > first else f"{first}" for first, last in runs)


def _merged(choices: Mapping[str, BestAdapter]) -> Table:
    """Table of the chosen adapters, with the gain of a step per language over one common step."""
    steps = [choice.common.scores["step"] for choice in choices.values() if choice.common is not None]
    table = Table(title=f"the best common step is {steps[0]:.0f}" if steps else None, title_justify="left")
    for name in ("language", "step", SCORE, "at the common step"):
        table.add_column(name, justify="left" if name == "language" else "right")
    for code, choice in choices.items():
        common = "-" if choice.common is None else f"{choice.common.scores[SCORE]:.4f}"
        step = "-" if choice.step is None else str(choice.step)
        table.add_row(_name(code), step, f"{choice.file.scores[SCORE]:.4f}", common)
    if steps:
        table.add_section()
        both = [(choice.file, choice.common) for choice in choices.values() if choice.common is not None]
        own, common = (sum(info.scores[SCORE] for info in side) / len(both) for side in zip(*both, strict=True))
        table.add_row("mean", "", f"{own:.4f}", f"{common:.4f}")
    return table
