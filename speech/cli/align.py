"""`speech align`: timestamps for the words of a known text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import speech
from speech.choices import AUTO, EMBEDDED
from speech.cli.console import write
from speech.cli.inputs import STDIN
from speech.cli.interruption import loading
from speech.cli.options import (
    AdapterFolder,
    ChannelNumber,
    HighlightWords,
    MaxCps,
    MaxLines,
    MaxLineWidth,
    TrackNumber,
)
from speech.cli.results import OutputFormat, Rendering, style_of
from speech.cli.transcribe import check_adapters
from speech.errors import ConfigError
from speech.files import check_readable, read_text


def align(
    audio: Annotated[Path, typer.Argument(help="Audio file of up to five minutes.")],
    text: Annotated[str | None, typer.Option(help="Text that is spoken in the file.")] = None,
    text_file: Annotated[Path | None, typer.Option(help="File with the text.")] = None,
    language: Annotated[str, typer.Option(help="Spoken language: auto, a code or a name.")] = AUTO,
    format: Annotated[OutputFormat, typer.Option(help="Output format.")] = OutputFormat.jsonl,
    model: Annotated[str, typer.Option(help="Model: embedded, a directory, or a hub id.")] = EMBEDDED,
    adapters: AdapterFolder = None,
    max_line_width: MaxLineWidth = None,
    max_lines: MaxLines = None,
    max_cps: MaxCps = None,
    highlight_words: HighlightWords = False,
    channel: ChannelNumber = None,
    track: TrackNumber = None,
) -> None:
    """Align a known text with speech: words with times and confidences."""
    if (text is None) == (text_file is None):
        raise ConfigError("--text or --text-file is needed", fix='E.g. --text "good morning".')
    rendering = Rendering(format, style_of(format, max_line_width, max_lines, max_cps, highlight_words))
    if text_file is not None:
        text = read_text(text_file)
    assert text is not None
    check_adapters(adapters)
    if str(audio) != STDIN:
        check_readable(audio)
    with loading():
        kind = speech.Recognizer
    recognizer = kind.from_pretrained(model, beam=1, adapters=adapters)
    aligned = recognizer.align(audio, text, language=language, channel=channel, track=track)
    write(rendering.render(str(audio), aligned))
