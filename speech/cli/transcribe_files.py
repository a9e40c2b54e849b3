"""`speech transcribe` in this process or, with an engine, through `batch`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from speech.batch.job import Job
from speech.cli.batch import EngineOptions, transcribe_in_batch
from speech.cli.console import SOME_FAILED, say_error, stderr, to_json, write
from speech.cli.inputs import Inputs
from speech.cli.progress import progress
from speech.cli.results import OutputFormat, Rendering, record
from speech.decode.bias.phrases import read_phrases
from speech.errors import FileError, SpeechError
from speech.files import check_writable, name_is_refused, printable, write_atomically
from speech.recognize.request import Request
from speech.transcript import Transcript
from speech.translate.toxicity import ToxicWords


def transcribe_files(
    options: Mapping[str, Any],
    phrases: Sequence[str],
    inputs: Inputs,
    targets: Mapping[str, Path],
    output_dir: Path | None,
    rendering: Rendering,
    **batch: Any,
) -> None:
    """Transcribe the files and write the results.

    Args:
        options: fields of the `Job`.
        phrases: as given on the command line.
        inputs: files, and folders that cannot be searched.
        targets: output path of each file; empty: standard output.
        output_dir: folder of the targets.
        rendering: output format and style.
        **batch: fields of `EngineOptions`; none: run in this process.

    Raises:
        typer.Exit: with `SOME_FAILED` if some files failed, or folders could not be searched.
        SpeechError: if the model cannot be loaded or does not support the request, or results cannot be written.
    """
    job = Job(phrases=read_phrases(phrases), **options)
    request = job.request
    if job.toxic_words is not None:
        ToxicWords.read(job.toxic_words)  # faults are found before a model is loaded, here or by workers
    for error in inputs.unsearched:
        say_error(error, "failed")
    failed = len(inputs.unsearched)
    if batch and output_dir is not None:
        check_writable(output_dir)
        failed += transcribe_in_batch(job, inputs.files, targets, output_dir, rendering, EngineOptions(**batch))
    else:
        failed += _in_this_process(job, inputs.files, targets, output_dir, rendering, request)
    if failed:
        raise typer.Exit(SOME_FAILED)


def _in_this_process(
    job: Job,
    files: Sequence[str],
    targets: Mapping[str, Path],
    output_dir: Path | None,
    rendering: Rendering,
    request: Request,
) -> int:
    """Transcribe the files in this process; return the number that failed."""
    there = {file for file, target in targets.items() if os.path.exists(target)}  # noqa: PTH110 (pathlib raises for long names)
    todo = [file for file in files if file not in there]
    if len(todo) < len(files):
        stderr().print(f"{len(files) - len(todo)} of {len(files)} are there already")
    if not todo:
        return 0
    if output_dir is not None:
        check_writable(output_dir)
    failed: list[SpeechError] = []
    listed: list[str] = []
    for path, result in _with_progress(job, todo, request):
        found = _put(path, result, targets.get(path), rendering, listed, many=len(files) > 1)
        if isinstance(found, SpeechError):
            failed.append(found)
            say_error(found, "failed")
    if rendering.format == OutputFormat.json and not targets:
        write("[\n" + ",\n".join(listed) + "\n]\n")
    if failed:
        first = f", the first: {' '.join(str(failed[0]).splitlines())}" if len(todo) > 1 else ""
        stderr().print(f"{len(failed)} of {len(todo)} files failed{first}", style="red")
    return len(failed)


def _put(
    path: str,
    result: Transcript | SpeechError,
    target: Path | None,
    rendering: Rendering,
    listed: list[str],
    *,
    many: bool,
) -> Transcript | SpeechError:
    """Write, print or append one result to `listed`; return the result, or the error if it could not be written."""
    format, text = rendering.format, ""
    if isinstance(result, Transcript):
        try:
            text = rendering.render(path, result)
            if target is not None:
                write_atomically(target, text)
        except FileError as error:
            if not name_is_refused(error):
                raise
            result = error
        except SpeechError as error:
            result = error
    if target is not None:
        return result
    if format == OutputFormat.json:
        listed.append(to_json(record(path, result), indent=1))
    elif isinstance(result, Transcript):
        write(f"{printable(path)}\t{text}" if many and format == OutputFormat.txt else text)
    elif format == OutputFormat.jsonl:
        write(to_json(record(path, result)) + "\n")
    return result


def _with_progress(job: Job, files: Sequence[str], request: Request) -> Iterator[tuple[str, Transcript | SpeechError]]:
    recognizer = job.open()
    start, audio_s = time.monotonic(), 0.0
    with progress() as bars:
        bar = bars.add_task("transcribing", total=len(files))
        for path, result in recognizer.transcribe_files(files, request, channel=job.channel, track=job.track):
            audio_s += result.duration_s if isinstance(result, Transcript) else 0.0
            rtf = (time.monotonic() - start) / max(audio_s, 1e-9)
            bars.update(bar, advance=1, description=f"RTF {rtf:.3f}")
            yield path, result
    elapsed = time.monotonic() - start
    if audio_s:
        stderr().print(f"{audio_s:.1f} s of audio in {elapsed:.1f} s, RTF {elapsed / audio_s:.3f}")
