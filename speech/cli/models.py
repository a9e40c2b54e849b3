"""`speech models`: what a model is and can do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from speech.choices import Live
from speech.cli.console import stdout
from speech.models.adapter_file import FOLDER
from speech.models.adapter_store import entries
from speech.models.checkpoint import kind_of, load_checkpoint, load_label_checkpoint
from speech.models.hub import EMBEDDED, locate
from speech.models.hybrid import KIND as HYBRID
from speech.models.hybrid import LABEL
from speech.models.stored import WHISPER
from speech.models.targets import Targets

_LIVE = {
    Live.chunks: "chunks: partial results come with every bit of audio",
    Live.parts: "parts: what is under way is read again, at most every second",
}


def models(name: Annotated[str, typer.Argument(help="embedded, a directory, or a hub id")] = EMBEDDED) -> None:
    """Describe a model: size, languages, what it translates into and how well."""
    path = locate(name)
    kind = kind_of(path)
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file() and FOLDER not in file.parts)
    known = _label_only(path) if kind == WHISPER else _by_ctc(path)
    console = stdout()
    console.print(f"path          {path}")
    console.print(f"kind          {kind}")
    for key, value in known.items():
        console.print(f"{key:<13} {value}{f', {size / 1e6:.1f} MB on disk' if key == 'parameters' else ''}")
    if kind == HYBRID:
        label = load_label_checkpoint(path / LABEL)
        console.print(f"label decoder {label.model.parameter_count / 1e6:.1f} M parameters")
    adapted = entries(path / FOLDER)
    console.print(f"adapters      {' '.join(info.language for info in adapted) or 'none'}")


def _by_ctc(path: Path) -> dict[str, str]:
    found = load_checkpoint(path)
    return {
        "encoder": type(found.model.encoder).__name__,
        "parameters": f"{found.model.parameter_count / 1e6:.1f} M",
        "frame": f"{found.model.frame_s * 1000:.0f} ms",
        "live": _LIVE[Live.chunks],
        "languages": " ".join(found.tokenizer.vocabulary.languages),
        "translates to": _targets(found.targets),
    }


def _label_only(path: Path) -> dict[str, str]:
    found = load_label_checkpoint(path)
    return {
        "encoder": type(found.model.encoder).__name__,
        "parameters": f"{found.model.parameter_count / 1e6:.1f} M",
        "frame": f"{found.model.frame_s * 1000:.0f} ms",
        "live": _LIVE[Live.parts],
        "languages": " ".join(found.tokenizer.languages),
        "translates to": _targets(found.targets),
    }


def _targets(targets: Targets) -> str:
    return ", ".join(f"{code} (chrF {score.chrf:.1f})" for code, score in targets.items()) or "no language"
