"""`speech transcribe`: files, directories and globs to text, JSON or subtitles."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from enum import StrEnum
from glob import glob, has_magic
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from speech.batch.job import Job
from speech.cli.batch import transcribe_in_batch
from speech.data.manifest import read_manifest
from speech.decode.phrases import read_phrases
from speech.errors import AudioError, ConfigError, SpeechError
from speech.models.hub import EMBEDDED
from speech.models.precision import Precision
from speech.stream.offline import Cut
from speech.stream.second_pass import AUTO, Request
from speech.transcript import Transcript

SUFFIXES = frozenset(
    ".wav .flac .ogg .oga .opus .mp3 .m4a .mp4 .aac .webm .mkv .mov .aif .aiff .au .caf .wma .amr .3gp".split()
)
"""What is looked for in directories; a file that is named is always tried."""
SOME_FAILED = 2
"""Exit code when at least one file could not be transcribed."""
AdapterFolder = Annotated[
    Path | None, typer.Option(help="Folder of adapters for the model. [default: those beside it]")
]
_Graph = Annotated[
    Path | None, typer.Option(help="Say only words of this file (one a line), or texts of its n-grams (.arpa).")
]

ChannelNumber = Annotated[
    int | None, typer.Option(min=0, help="Hear this channel alone, from 0. [default: the mean of all]")
]
TrackNumber = Annotated[
    int | None, typer.Option(min=0, help="Hear this audio track of a film, from 0. [default: the one it says]")
]


class Format(StrEnum):
    txt = "txt"
    json = "json"
    jsonl = "jsonl"
    srt = "srt"
    vtt = "vtt"


class TaskName(StrEnum):
    asr = "asr"
    st = "st"


def transcribe(
    paths: Annotated[
        list[str], typer.Argument(help="Files, directories, globs, manifests (.jsonl), or - for standard input.")
    ],
    language: Annotated[
        str, typer.Option(help="Of the speech: auto, a code or name such as deu, de, German, or several: eng,spa.")
    ] = AUTO,
    task: Annotated[TaskName, typer.Option(help="asr: transcribe; st: translate (needs --to).")] = TaskName.asr,
    to: Annotated[str | None, typer.Option(help="Target language of a translation.")] = None,
    format: Annotated[Format, typer.Option(help="What to write.")] = Format.txt,
    output_dir: Annotated[Path | None, typer.Option(help="One file per input; what is there is skipped.")] = None,
    model: Annotated[str, typer.Option(help="embedded, a directory, or a hub id.")] = EMBEDDED,
    device: Annotated[str, typer.Option(help="cpu, cuda, ...")] = "cpu",
    precision: Annotated[Precision, typer.Option(help="auto: int8 on an x86 CPU.")] = Precision.auto,
    beam: Annotated[
        int | None,
        typer.Option(help="Texts kept in the search; 1: the best token of each frame. [default: 8 with an lm]"),
    ] = None,
    conditioning_top: Annotated[
        int | None, typer.Option(help="Tokens of a frame that are fed back into the encoder. [default: all]")
    ] = None,
    cut: Annotated[Cut, typer.Option(help="windows: of 30 s, as OWSM-CTC is published.")] = Cut.pauses,
    phrase: Annotated[
        list[str] | None,
        typer.Option(help="That may well be said, e.g. a name; name^2: more so; @FILE: one on each line. Repeatable."),
    ] = None,
    lm: Annotated[Path | None, typer.Option(help="n-gram file over the model's pieces. [default: the model's]")] = None,
    graph: _Graph = None,
    adapters: AdapterFolder = None,
    channel: ChannelNumber = None,
    track: TrackNumber = None,
    engine: Annotated[
        str | None,
        typer.Option(help="local, ray or shard=i/n: workers and a ledger beside the results; needs --output-dir."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Of an engine. [default: 1; with ray as many as there is room for]")
    ] = None,
    retry: Annotated[bool, typer.Option(help="With an engine: also what has failed before.")] = False,
) -> None:
    """Transcribe or translate audio. Exit code 2 if some files failed; the others are done."""
    if (task == TaskName.st) != (to is not None):
        raise ConfigError("--task st and --to belong together", fix="E.g. --task st --to eng.")
    files = expand(paths)
    targets = target_paths(files, output_dir, format) if output_dir is not None else {}
    console = Console(stderr=True, highlight=False)
    job = Job(
        model=model,
        language=language,
        to=to,
        device=device,
        precision=precision,
        beam=beam,
        language_model=lm,
        conditioning_top=conditioning_top,
        cut=cut,
        phrases=read_phrases(phrase or []),
        graph=graph,
        adapters=adapters,
        channel=channel,
        track=track,
    )
    request = job.request
    if engine is None:
        _in_this_process(job, files, targets, request, format, console)
        return
    if output_dir is None:
        raise ConfigError(f"--engine {engine} needs --output-dir", fix="Say where the results are to be put.")
    failed = transcribe_in_batch(
        job,
        files,
        targets,
        output_dir,
        lambda target, path, transcript: write_atomically(target, render(path, transcript, format)),
        engine=engine,
        workers=workers,
        format=format,
        retry=retry,
        console=console,
    )
    if failed:
        raise typer.Exit(SOME_FAILED)


def _in_this_process(
    job: Job, files: list[str], targets: dict[str, Path], request: Request, format: Format, console: Console
) -> None:
    todo = [file for file in files if file not in targets or not targets[file].exists()]
    if len(todo) < len(files):
        console.print(f"{len(files) - len(todo)} of {len(files)} are there already")
    if not todo:
        return
    failed = 0
    printed: list[dict[str, Any]] = []
    for path, result in _with_progress(job, todo, request, console):
        if isinstance(result, SpeechError):
            failed += 1
            console.print(f"[red]failed:[/red] {result}", soft_wrap=True)
        if path in targets:
            if isinstance(result, Transcript):
                write_atomically(targets[path], render(path, result, format))
        elif format == Format.json:
            printed.append(_record(path, result))
        else:
            _print(path, result, format, many=len(files) > 1)
    if format == Format.json and not targets:
        sys.stdout.write(json.dumps(printed, ensure_ascii=False, indent=1) + "\n")
    if failed:
        console.print(f"[red]{failed} of {len(todo)} files failed[/red]")
        raise typer.Exit(SOME_FAILED)


def expand(paths: list[str]) -> list[str]:
    """Files that `paths` mean, each once, in order; directories are searched for audio, manifests name it.

    Raises:
        AudioError: if a path matches nothing.
    """
    found: dict[str, None] = {}
    for path in paths:
        if path != "-" and Path(path).is_dir():
            matches = sorted(str(p) for p in Path(path).rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
        elif Path(path).suffix == ".jsonl":
            matches = [str(utterance.audio) for utterance in read_manifest(Path(path))]
        elif path != "-" and has_magic(path) and not Path(path).exists():
            matches = sorted(p for p in glob(path, recursive=True) if Path(p).is_file())  # noqa: PTH207
        else:
            matches = [path]
        if not matches:
            raise AudioError("holds or matches no audio file", where=path)
        found |= dict.fromkeys(matches)
    return list(found)


def target_paths(files: list[str], folder: Path, format: Format) -> dict[str, Path]:
    """Where each file's result goes; equal names from different folders keep their folders.

    Raises:
        ConfigError: if two files would be written to the same place.
    """
    absolute = [Path(file).absolute() for file in files]
    base = Path(os.path.commonpath([path.parent for path in absolute]))
    targets = {
        f: folder / path.relative_to(base).with_suffix(f".{format}") for f, path in zip(files, absolute, strict=True)
    }
    seen: dict[Path, str] = {}
    for file, target in targets.items():
        if target in seen:
            raise ConfigError(f"{seen[target]} and {file} would both be written to {target}", fix="Rename one.")
        seen[target] = file
    return targets


def write_atomically(path: Path, text: str) -> None:
    """The file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def render(path: str, transcript: Transcript, format: Format) -> str:
    """One result as the text of a file."""
    if format == Format.srt:
        return transcript.to_srt()
    if format == Format.vtt:
        return transcript.to_vtt()
    if format == Format.txt:
        return transcript.text + "\n"
    return json.dumps(_record(path, transcript), ensure_ascii=False) + "\n"


def _record(path: str, result: Transcript | SpeechError) -> dict[str, Any]:
    if isinstance(result, SpeechError):
        return {"path": path, "error": str(result)}
    return {"path": path, **result.to_dict()}


def _print(path: str, result: Transcript | SpeechError, format: Format, *, many: bool) -> None:
    if isinstance(result, Transcript):
        text = render(path, result, format)
        sys.stdout.write(f"{path}\t{text}" if many and format == Format.txt else text)
    elif format == Format.jsonl:
        sys.stdout.write(json.dumps(_record(path, result), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def progress_on(console: Console) -> Progress:
    """Bars that go when they are done; nothing where nobody watches."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _with_progress(
    job: Job, files: list[str], request: Request, console: Console
) -> Iterator[tuple[str, Transcript | SpeechError]]:
    recognizer = job.open()
    start, audio_s = time.monotonic(), 0.0
    with progress_on(console) as progress:
        bar = progress.add_task("transcribing", total=len(files))
        for path, result in recognizer.transcribe_files(files, request, channel=job.channel, track=job.track):
            audio_s += result.duration_s if isinstance(result, Transcript) else 0.0
            rtf = (time.monotonic() - start) / max(audio_s, 1e-9)
            progress.update(bar, advance=1, description=f"RTF {rtf:.3f}")
            yield path, result
    elapsed = time.monotonic() - start
    if audio_s:
        console.print(f"{audio_s:.1f} s of audio in {elapsed:.1f} s, RTF {elapsed / audio_s:.3f}")
