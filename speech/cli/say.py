"""`speech say`: text to speech, with word times."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from speech.choices import AudioEncoding
from speech.cli import options as option
from speech.cli.inputs import STDIN
from speech.cli.interruption import loading
from speech.errors import ConfigError, TextError
from speech.files import check_readable, check_writable, read_text
from speech.text.languages import resolve

_RUN = "speech.cli.say_text"
_TIMES = (".json", ".srt", ".vtt")
_PIECE = 4096
"""Characters read at once from standard input."""


def say(
    text: Annotated[str, typer.Argument(help="Text, a file (.txt, .ssml), or - for standard input.")],
    model: Annotated[str, typer.Option(help="Voice model: a directory that `speech import` wrote, or a hub id.")],
    output: Annotated[Path, typer.Option(help="Audio file: .wav, .mp3, .opus, .flac, .aac, or .pcm without header.")],
    language: Annotated[str, typer.Option(help="Language of the text: a code or a name.")] = "eng",
    voice: Annotated[
        str,
        typer.Option(
            help="Voice; else the first of the language. For a Fish-Speech a recording, its text in NAME.txt."
        ),
    ] = "",
    rate: Annotated[float, typer.Option(help="Speed, 0.5 to 2; the pitch stays.")] = 1.0,
    words: Annotated[Path | None, typer.Option(help="Also write word times: .json, .srt or .vtt.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same samples.", min=0)] = 0,
    device: option.Device = "cpu",
) -> None:
    """Say a text, or an SSML document: what begins with <speak."""
    encoding = _encoding(output)
    if words is not None and words.suffix not in _TIMES:
        raise ConfigError(f"--words {words}", fix=f"Give a name that ends with {', '.join(_TIMES)}.")
    code, pieces = resolve(language).code, _pieces(text)
    for path in (output, *([] if words is None else [words])):
        check_writable(path.parent)
    with loading():
        run = import_module(_RUN)
    manner = {"language": code, "voice": voice, "rate": rate, "seed": seed}
    run.say_text(pieces, manner, model=model, device=device, output=output, encoding=encoding, words=words)


def _encoding(output: Path) -> AudioEncoding:
    name = output.suffix.removeprefix(".").lower()
    if name not in set(AudioEncoding):
        raise ConfigError(f"--output {output}", fix=f"Give a name that ends with .{', .'.join(AudioEncoding)}.")
    return AudioEncoding(name)


def _pieces(text: str) -> Iterator[str]:
    """The text as it comes.

    Raises:
        FileError: if it names a file that cannot be read.
        TextError: if there is none.
    """
    if text == STDIN:
        return iter(lambda: sys.stdin.read(_PIECE), "")
    if "\n" not in text and len(text) < 256 and Path(text).suffix in (".txt", ".ssml", ".xml", ".md"):
        check_readable(Path(text))
        text = read_text(Path(text))
    if not text.strip():
        raise TextError("there is no text", fix="Give some words.")
    return iter([text])
