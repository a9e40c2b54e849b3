"""`speech transcribe`: options and their validation, before anything heavy is loaded."""

from __future__ import annotations

from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from speech.choices import AUTO, EMBEDDED, Cut, Precision
from speech.cli import options as option
from speech.cli.inputs import expand
from speech.cli.interruption import loading
from speech.cli.results import SUBTITLES, OutputFormat, Rendering, style_of, target_paths
from speech.errors import ConfigError, ModelError
from speech.files import check_readable, printable

_RUN = "speech.cli.transcribe_files"


class TaskName(StrEnum):
    asr = "asr"
    st = "st"


def transcribe(
    paths: Annotated[
        list[str],
        typer.Argument(help="Files, folders, globs, manifests (.jsonl), or - for standard input."),
    ],
    language: option.LanguageNames = AUTO,
    task: Annotated[
        TaskName, typer.Option(help="asr: transcribe; st: translate, if the model can; needs --to.")
    ] = TaskName.asr,
    to: option.Target = None,
    format: option.FormatName = OutputFormat.txt,
    plain: option.Plain = False,
    output_dir: option.OutputDir = None,
    channel: option.ChannelNumber = None,
    track: option.TrackNumber = None,
    model: option.ModelName = EMBEDDED,
    device: option.Device = "cpu",
    precision: option.PrecisionName = Precision.auto,
    conditioning_top: option.ConditioningTop = None,
    adapters: option.AdapterFolder = None,
    cut: option.CutName = Cut.pauses,
    beam: option.Beam = None,
    phrase: option.PhraseList = None,
    nbest: option.Nbest = 1,
    lm: option.LanguageModel = None,
    graph: option.Graph = None,
    toxic_words: option.ToxicWordsFolder = None,
    translator: option.TranslatorName = None,
    translator_model: option.TranslatorModel = None,
    max_line_width: option.MaxLineWidth = None,
    max_lines: option.MaxLines = None,
    max_cps: option.MaxCps = None,
    highlight_words: option.HighlightWords = False,
    engine: option.EngineName = None,
    workers: option.Workers = None,
    retry: option.Retry = False,
) -> None:
    """Transcribe audio, or translate it if the model can. Exit code 2: some files failed, the others are done."""
    check_translation(translates=task == TaskName.st, to=to, translator=translator, model=translator_model)
    if toxic_words is not None and to is None:
        raise ConfigError("--toxic-words applies to translations", fix="Add --task st --to eng, or omit it.")
    if nbest > 1 and format not in (OutputFormat.json, OutputFormat.jsonl):
        raise ConfigError(f"--nbest is for JSON, not {format}", fix="Add --format json or jsonl.")
    if engine is not None and output_dir is None:
        raise ConfigError(f"--engine {engine} needs --output-dir", fix="Name the folder for the results.")
    rendering = Rendering(format, style_of(format, max_line_width, max_lines, max_cps, highlight_words))
    inputs = expand(paths)
    targets = target_paths(inputs.files, output_dir, format) if output_dir is not None else {}
    if format in SUBTITLES and not targets and len(inputs.files) > 1:
        text = f"{len(inputs.files)} files would be one stream of {format}"
        raise ConfigError(text, fix="Give --output-dir: one file for each.")
    for file in (lm, graph):
        if file is not None:
            check_readable(file)
    check_adapters(adapters)
    job = {
        "model": model, "language": language, "to": to, "device": device, "precision": precision, "beam": beam,
        "language_model": lm, "conditioning_top": conditioning_top, "cut": cut, "graph": graph, "adapters": adapters,
        "channel": channel, "track": track, "plain": plain, "nbest": nbest,
        "toxic_words": toxic_words, "translator": translator, "translator_model": translator_model,
    }  # fmt: skip
    batch = {} if engine is None else {"engine": engine, "workers": workers, "retry": retry}
    with loading():
        run = import_module(_RUN)
    run.transcribe_files(job, phrase or [], inputs, targets, output_dir, rendering, **batch)


def check_translation(*, translates: bool, to: str | None, translator: str | None, model: str | None) -> None:
    """Raises ConfigError if options of a translation are missing."""
    if translator is not None and to is None:
        raise ConfigError("--translator without --to", fix="Name the language to translate into, e.g. --to fra.")
    if translator is None and model is not None:
        raise ConfigError("--translator-model without --translator", fix="Give the endpoint's URL, or omit it.")
    if translator is None and translates != (to is not None):
        raise ConfigError("--task st and --to belong together", fix="E.g. --task st --to eng.")


def check_adapters(folder: Path | None) -> None:
    """Raises ModelError if the path is not a folder."""
    if folder is not None and not folder.is_dir():
        raise ModelError("is not a folder of adapters", where=printable(folder), fix="Give an existing folder.")
