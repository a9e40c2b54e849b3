"""`speech models`: what a model is and can do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from torch import nn

from speech.cli.console import stdout
from speech.models.adapter_file import FOLDER
from speech.models.adapter_store import entries
from speech.models.checkpoint import kind_of, load_label_outline, load_outline
from speech.models.hub import EMBEDDED, locate
from speech.models.hybrid import LABEL
from speech.models.targets import Targets

_KINDS = {
    "owsm_ctc": "CTC model; live chunk by chunk",
    "hybrid": "CTC model and label decoder; live chunk by chunk, finals part by part by both",
    "whisper": "label decoder without CTC",
}


def models(name: Annotated[str, typer.Argument(help="embedded, a directory, or a hub id")] = EMBEDDED) -> None:
    """Describe a model: size, languages, what it translates into and how well."""
    path = locate(name)
    kind, console = kind_of(path), stdout()
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    console.print(f"path          {path}")
    console.print(f"kind          {kind}: {_KINDS[kind]}")
    console.print(f"size          {size / 1e6:.1f} MB on disk")
    if kind != "whisper":
        _ctc(console, path)
    if kind != "owsm_ctc":
        _label(console, path if kind == "whisper" else path / LABEL)


def _ctc(console: Console, path: Path) -> None:
    outline = load_outline(path)
    model = outline.empty()
    adapted = entries(path / FOLDER)
    console.print(f"encoder       {type(model.encoder).__name__}")
    console.print(f"parameters    {_millions(model)}")
    console.print(f"frame         {model.frame_s * 1000:.0f} ms")
    console.print(f"languages     {' '.join(outline.tokenizer.vocabulary.languages)}")
    console.print(f"translates to {_targets(outline.targets)}")
    console.print(f"adapters      {' '.join(info.language for info in adapted) or 'none'}")


def _label(console: Console, path: Path) -> None:
    outline = load_label_outline(path)
    model, languages = outline.empty(), sorted(outline.tokenizer.languages)
    console.print(f"label decoder {type(model).__name__}")
    console.print(f"parameters    encoder {_millions(model.encoder)}, decoder {_millions(model.decoder)}")
    console.print(f"hears at once {model.max_frames * model.frame_s:.0f} s, frames of {model.frame_s * 1000:.0f} ms")
    console.print(f"writes        {' '.join(languages)}")


def _millions(module: nn.Module) -> str:
    return f"{sum(parameter.numel() for parameter in module.parameters()) / 1e6:.1f} M"


def _targets(targets: Targets) -> str:
    return ", ".join(f"{code} (chrF {score.chrf:.1f})" for code, score in targets.items()) or "no language"
