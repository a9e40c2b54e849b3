"""`speech say`: text to speech, with word times."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from speech.choices import EMBEDDED_VOICE, AudioEncoding
from speech.cli import options as option
from speech.cli.inputs import STDIN
from speech.cli.interruption import loading
from speech.errors import ConfigError, TextError
from speech.files import check_readable, check_writable, read_text
from speech.text.languages import resolve
from speech.tts.chapters import without_marks

_RUN, _RUN_CHAPTERS = "speech.cli.say_text", "speech.cli.say_chapters"
TIMES = (".json", ".srt", ".vtt")
_MARKDOWN = ".md"
_SUFFIXES = (".txt", ".ssml", ".xml", _MARKDOWN)
_PIECE = 4096
"""Characters that are read, and said, at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SayRequest:
    """What `speech say` was asked for."""

    model: str
    """embedded-voice, a directory, or a hub id."""
    device: str
    manner: Mapping[str, Any]
    """Fields of `SpeakingOptions`."""
    output: Path | None
    """Audio file, if any; with chapters the folder has its name without the suffix."""
    encoding: AudioEncoding
    words: Path | None = None
    """File for word times."""
    play: bool = False
    watermark: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `WatermarkChoice`."""


def say(
    text: Annotated[str, typer.Argument(help="Text, a file (.txt, .md, .ssml), or - for standard input.")],
    model: Annotated[
        str, typer.Option(help="Voice model: embedded-voice, a directory such as `speech import` writes, or a hub id.")
    ] = EMBEDDED_VOICE,
    output: Annotated[
        Path | None, typer.Option(help="Audio file: .wav, .mp3, .opus, .flac, .aac, or .pcm without header.")
    ] = None,
    play: Annotated[bool, typer.Option("--play", help="Play the speech while it is made.")] = False,
    language: Annotated[str, typer.Option(help="Language of the text: a code or a name.")] = "eng",
    voice: Annotated[
        str,
        typer.Option(
            help='Voice, file of a voice, or blend, such as "af_heart:0.6,bf_emma:0.4"; otherwise the first voice of '
            "the language. For a Fish-Speech a recording, its text in NAME.txt."
        ),
    ] = "",
    rate: Annotated[float, typer.Option(help="Speed, 0.5 to 2; the pitch stays.")] = 1.0,
    words: Annotated[Path | None, typer.Option(help="Also write word times: .json, .srt or .vtt.")] = None,
    chapters: Annotated[
        bool,
        typer.Option(
            "--chapters",
            help="Write a folder, named as OUTPUT without its suffix: a file per chapter, word times beside, and a "
            "playlist. What is whole there already is kept.",
        ),
    ] = False,
    seed: Annotated[int, typer.Option(help="The same seed gives the same samples.", min=0)] = 0,
    watermark: Annotated[
        str,
        typer.Option(
            envvar="SPEECH_WATERMARK_MODEL",
            help="Watermark model. [default: the folder watermark in that of the voice model, else embedded-watermark]",
        ),
    ] = "",
    message: Annotated[int, typer.Option(help="Number that the watermark carries, 0 to 255.")] = 0,
    no_watermark: Annotated[
        bool, typer.Option("--no-watermark", help="Mark nothing. Cloned voices are refused then.")
    ] = False,
    device: option.Device = "cpu",
) -> None:
    """Say a text, or an SSML document: what begins with <speak."""
    encoding = _checked(output, play=play, chapters=chapters)
    if words is not None and words.suffix not in TIMES:
        raise ConfigError(f"--words {words}", fix=f"Give a name that ends with {', '.join(TIMES)}.")
    if words is not None and chapters:
        raise ConfigError("--words with --chapters", fix="Omit it: word times are written beside each chapter.")
    code, pieces = resolve(language).code, _pieces(text, marks=chapters)
    for path in (output, words):
        if path is not None:
            check_writable(path.parent)
    with loading():
        run = import_module(_RUN_CHAPTERS if chapters else _RUN)
    manner = {"language": code, "voice": voice, "rate": rate, "seed": seed}
    marks = {"model": watermark, "message": message, "on": not no_watermark}
    request = SayRequest(
        model=model,
        device=device,
        manner=manner,
        output=output,
        encoding=encoding,
        words=words,
        play=play,
        watermark=marks,
    )
    if chapters:
        run.say_chapters("".join(pieces), request)
    else:
        run.say_text(pieces, request)


def _checked(output: Path | None, *, play: bool, chapters: bool) -> AudioEncoding:
    """The format of the output.

    Raises:
        ConfigError: if it has none, or nothing would be done with the speech.
    """
    if output is None and (chapters or not play):
        raise ConfigError("--output is needed", fix="Give a file; or --play, for a text without --chapters.")
    if output is None:
        return AudioEncoding.pcm
    name = output.suffix.removeprefix(".").lower()
    if name not in set(AudioEncoding):
        raise ConfigError(f"--output {output}", fix=f"Give a name that ends with .{', .'.join(AudioEncoding)}.")
    return AudioEncoding(name)


def _pieces(text: str, *, marks: bool) -> Iterator[str]:
    """The text as it comes, in pieces, so that a long one is said while it is read.

    Args:
        marks: whether the marks of headings in Markdown stay.

    Raises:
        FileError: if it names a file that cannot be read.
        TextError: if there is none.
    """
    if text == STDIN:
        return iter(lambda: sys.stdin.read(_PIECE), "")
    if "\n" not in text and len(text) < 256 and Path(text).suffix in _SUFFIXES:
        path = Path(text)
        check_readable(path)
        text = read_text(path)
        if path.suffix == _MARKDOWN and not marks:
            text = without_marks(text)
    if not text.strip():
        raise TextError("there is no text", fix="Give some words.")
    return in_pieces(text)


def in_pieces(text: str) -> Iterator[str]:
    """A text in pieces that are said one behind the other."""
    return (text[start : start + _PIECE] for start in range(0, len(text), _PIECE))
