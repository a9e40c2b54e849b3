"""`speech models`: what a model is and can do."""

from __future__ import annotations

from typing import Annotated

import typer

from speech.cli.console import stdout
from speech.models.adapter_file import FOLDER
from speech.models.adapter_store import entries
from speech.models.checkpoint import load_checkpoint
from speech.models.hub import EMBEDDED, locate
from speech.models.targets import Targets


def models(name: Annotated[str, typer.Argument(help="embedded, a directory, or a hub id")] = EMBEDDED) -> None:
    """Describe a model: size, languages, what it translates into and how well."""
    path = locate(name)
    checkpoint = load_checkpoint(path)
    vocabulary = checkpoint.tokenizer.vocabulary
    parameters = checkpoint.model.parameter_count
    size = sum(file.stat().st_size for file in path.iterdir() if file.is_file())
    adapted = entries(path / FOLDER)
    console = stdout()
    console.print(f"path          {path}")
    console.print(f"encoder       {type(checkpoint.model.encoder).__name__}")
    console.print(f"parameters    {parameters / 1e6:.1f} M, {size / 1e6:.1f} MB on disk")
    console.print(f"frame         {checkpoint.model.frame_s * 1000:.0f} ms")
    console.print(f"languages     {' '.join(vocabulary.languages)}")
    console.print(f"translates to {_targets(checkpoint.targets)}")
    console.print(f"adapters      {' '.join(info.language for info in adapted) or 'none'}")


def _targets(targets: Targets) -> str:
    return ", ".join(f"{code} (chrF {score.chrf:.1f})" for code, score in targets.items()) or "no language"
