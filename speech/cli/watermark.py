"""`speech watermark`: mark a recording, or look for a mark."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import soundfile
import typer

from speech.audio.input.files import load_audio, probe, stream_audio
from speech.choices import EMBEDDED_WATERMARK
from speech.cli.console import stdout, to_json, write
from speech.errors import AudioError, ConfigError
from speech.files import check_readable, check_writable, printable, replacing
from speech.tts.watermark import Watermarker
from speech.tts.watermark_message import encode_message
from speech.tts.watermark_verdict import Detection

watermark = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Embed an inaudible watermark in speech, or detect one.",
)
_FORMATS = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG", ".mp3": "MP3"}
"""Suffix -> format of libsndfile."""

_Model = Annotated[str, typer.Option(help="Watermark model: embedded-watermark, a directory, or a hub id.")]


@watermark.command("embed")
def embed(
    file: Annotated[Path, typer.Argument(help="Audio file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write: .wav, .flac, .ogg or .mp3.")],
    message: Annotated[int, typer.Option(help="Number that the mark carries, 0 to 255.")] = 0,
    model: _Model = EMBEDDED_WATERMARK,
) -> None:
    """Mark a recording. The result is mono, at the file's sample rate."""
    encode_message(message)  # before anything is loaded
    if output.suffix.lower() not in _FORMATS:
        expected = f"expected {', '.join(_FORMATS)}"
        raise ConfigError(f"suffix {output.suffix!r}, {expected}", where=printable(output))
    check_readable(file)
    check_writable(output.parent)
    if output.exists() and output.samefile(file):
        raise ConfigError("is the file that is read", where=printable(output), fix="Name another output.")
    marker = Watermarker.from_pretrained(model)
    rate = probe(file).rate
    try:
        marked = marker.embed(load_audio(file, rate=rate), rate, message)
    except AudioError as error:
        raise _at(error, file) from error
    with replacing(output) as temporary:
        soundfile.write(temporary, np.clip(marked, -1.0, 1.0), rate, format=_FORMATS[output.suffix.lower()])
    stdout().print(f"{printable(output)}: message {message}")


@watermark.command("detect")
def detect(
    file: Annotated[Path, typer.Argument(help="Audio file.")],
    json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
    model: _Model = EMBEDDED_WATERMARK,
) -> None:
    """Look for a mark: score, where the recording is marked, the message, and the speed if it is another."""
    check_readable(file)
    marker = Watermarker.from_pretrained(model)
    try:
        found = marker.detect_stream(stream_audio(file, rate=marker.sample_rate))
    except AudioError as error:
        raise _at(error, file) from error
    if json:
        record = {"file": str(file), "marked": found.marked, **asdict(found)}
        write(to_json(record, where=printable(file)) + "\n")
        return
    stdout().print(f"{printable(file)}: {_described(found)}")
    for segment in found.segments:
        stdout().print(f"{segment.start_s:.2f} s to {segment.end_s:.2f} s")


def _described(found: Detection) -> str:
    score = f"score {found.score:.2f}, threshold {found.threshold:.2f}"
    if not found.marked:
        return f"no mark found ({score})"
    message = "a message that could not be read" if found.message is None else f"message {found.message}"
    speed = "" if found.speed == 1 else f", played about {found.speed:.2f} times as fast"
    return f"marked, {message}{speed} ({score})"


def _at(error: AudioError, file: Path) -> AudioError:
    return AudioError(error.what, where=error.where or printable(file), fix=error.fix)
