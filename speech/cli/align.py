"""`speech align`: when each word of a known text is said."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from speech.cli.transcribe import AdapterFolder, Format, render
from speech.errors import ConfigError
from speech.files import read_text
from speech.models.hub import EMBEDDED
from speech.recognizer import AUTO, Recognizer


def align(
    audio: Annotated[Path, typer.Argument(help="A file of up to five minutes.")],
    text: Annotated[str | None, typer.Option(help="What is said in it.")] = None,
    text_file: Annotated[Path | None, typer.Option(help="The same, in a file.")] = None,
    language: Annotated[str, typer.Option(help="Of the speech: auto, or a code or name.")] = AUTO,
    format: Annotated[Format, typer.Option(help="What to print.")] = Format.jsonl,
    model: Annotated[str, typer.Option(help="embedded, a directory, or a hub id.")] = EMBEDDED,
    adapters: AdapterFolder = None,
) -> None:
    """Align a text with speech: words with times and confidences."""
    if (text is None) == (text_file is None):
        raise ConfigError("--text or --text-file: one of them is needed", fix='E.g. --text "good morning".')
    if text_file is not None:
        if not text_file.is_file():
            raise ConfigError(f"{text_file}: no such file")
        text = read_text(text_file)
    assert text is not None
    aligned = Recognizer.from_pretrained(model, beam=1, adapters=adapters).align(audio, text, language=language)
    sys.stdout.write(render(str(audio), aligned, format))
