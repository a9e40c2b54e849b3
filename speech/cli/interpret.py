"""`speech interpret`: a recording in another language, in time with the original."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from speech.choices import AUTO, EMBEDDED, EMBEDDED_VOICE, AudioEncoding
from speech.cli import options as option
from speech.cli.interruption import loading
from speech.cli.say import TIMES
from speech.errors import ConfigError
from speech.files import check_readable, check_writable
from speech.text.languages import resolve

_RUN = "speech.cli.interpret_file"


@dataclass(frozen=True, slots=True, kw_only=True)
class InterpretFileRequest:
    """What `speech interpret` was asked for."""

    source: Path
    output: Path
    encoding: AudioEncoding
    to: str
    """ISO 639-3 code."""
    language: str
    """As given; "auto": any."""
    model: str
    voice_model: str
    device: str
    voice: str
    consent: Path | None
    """Text in which the speaker agrees to be imitated; None: nobody is."""
    settings: Mapping[str, Any]
    """Fields of `InterpretSettings`."""
    complete: bool
    original: float
    """Gain of the original under the translation."""
    words: Path | None


def interpret(
    file: Annotated[Path, typer.Argument(help="Recording.")],
    to: Annotated[str, typer.Option(help="Language that is said: a code or a name.")],
    output: Annotated[Path, typer.Option(help="Audio file: .wav, .mp3, .opus, .flac, .aac.")],
    language: Annotated[str, typer.Option(help="Spoken language, or several with commas.")] = AUTO,
    voice: Annotated[str, typer.Option(help="Voice, file of a voice, or blend; otherwise the first of --to.")] = "",
    clone: Annotated[
        bool, typer.Option("--clone", help="In the voice of the speaker, of whom --consent says so. Takes minutes.")
    ] = False,
    consent: Annotated[Path | None, typer.Option(help="Text in which the speaker agrees to be imitated.")] = None,
    rate: Annotated[float, typer.Option(help="Speed of the voice, 0.75 to 1.5.")] = 1.0,
    even_rate: Annotated[
        bool, typer.Option("--even-rate", help="Do not speak fast or slowly as the speaker does.")
    ] = False,
    complete: Annotated[
        bool, typer.Option("--complete", help="Translate each part when it is complete: later, and better.")
    ] = False,
    original: Annotated[float, typer.Option(help="Loudness of the original beneath it, 0 to 1.", min=0, max=1)] = 0.0,
    words: Annotated[Path | None, typer.Option(help="Also write word times: .json, .srt or .vtt.")] = None,
    model: option.ModelName = EMBEDDED,
    voice_model: Annotated[str, typer.Option(help="Voice model, as of `speech say`.")] = EMBEDDED_VOICE,
    device: option.Device = "cpu",
) -> None:
    """Say a recording in another language, in time with it, as a live listener would hear it."""
    name = output.suffix.removeprefix(".").lower()
    if name not in set(AudioEncoding) or name == AudioEncoding.pcm:
        raise ConfigError(f"--output {output}", fix="Give a name that ends with .wav, .mp3, .opus, .flac or .aac.")
    if words is not None and words.suffix not in TIMES:
        raise ConfigError(f"--words {words}", fix=f"Give a name that ends with {', '.join(TIMES)}.")
    if clone != (consent is not None):
        raise ConfigError("--clone and --consent belong together", fix="Give both, or neither.")
    if clone and voice:
        raise ConfigError("--clone with --voice", fix="Give one of them.")
    check_readable(file)
    if consent is not None:
        check_readable(consent)
    for path in (output, words):
        if path is not None:
            check_writable(path.parent)
    request = InterpretFileRequest(
        source=file, output=output, encoding=AudioEncoding(name), to=resolve(to).code, language=language, model=model,
        voice_model=voice_model, device=device, voice=voice, consent=consent, complete=complete, original=original,
        words=words, settings={"rate": rate, "carry_rate": not even_rate},
    )  # fmt: skip
    with loading():
        run = import_module(_RUN)
    run.interpret_file(request)
