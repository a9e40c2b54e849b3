"""`speech transcribe`: what it is asked for. What cannot be is refused here, before anything heavy is loaded."""

from __future__ import annotations

from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from speech.choices import AUTO, EMBEDDED, Cut, Precision
from speech.cli.inputs import expand
from speech.cli.interruption import loading
from speech.cli.results import SUBTITLES, Format, Rendering, style_of, target_paths
from speech.errors import ConfigError
from speech.files import check_readable

_RUN = "speech.cli.transcribing"
_AUDIO = "Audio"
_MODEL = "Model"
_SEARCH = "Search for the text"
_LOOK = "Subtitles"
_MANY = "Many files"

AdapterFolder = Annotated[
    Path | None,
    typer.Option(help="Folder of adapters for the model. [default: those beside it]", rich_help_panel=_MODEL),
]
ChannelNumber = Annotated[
    int | None,
    typer.Option(min=0, help="Hear this channel alone, from 0. [default: the mean of all]", rich_help_panel=_AUDIO),
]
TrackNumber = Annotated[
    int | None,
    typer.Option(
        min=0, help="Hear this audio track, from 0. [default: the file's default one]", rich_help_panel=_AUDIO
    ),
]
MaxLineWidth = Annotated[
    int | None,
    typer.Option(help="Columns of a line; East Asian characters take two. [default: 42]", rich_help_panel=_LOOK),
]
MaxLines = Annotated[int | None, typer.Option(help="Lines of a subtitle. [default: 2]", rich_help_panel=_LOOK)]
MaxCps = Annotated[
    float | None,
    typer.Option(
        help="Reading speed, columns a second: subtitles stay for as long where the next leaves room. [default: 20]",
        rich_help_panel=_LOOK,
    ),
]
HighlightWords = Annotated[
    bool, typer.Option("--highlight-words", help="Underline each word while it is said.", rich_help_panel=_LOOK)
]

_ConditioningTop = Annotated[
    int | None,
    typer.Option(help="Tokens of a frame that are fed back into the encoder. [default: all]", rich_help_panel=_MODEL),
]
_Cut = Annotated[
    Cut,
    typer.Option(
        help="Where long audio is cut: at pauses, or into windows of 30 s as OWSM-CTC is published.",
        rich_help_panel=_MODEL,
    ),
]
_Beam = Annotated[
    int | None,
    typer.Option(
        help="Texts kept in the search; 1: the best token of each frame. [default: 8 with an n-gram model, else 1]",
        rich_help_panel=_SEARCH,
    ),
]
_Phrases = Annotated[
    list[str] | None,
    typer.Option(
        help="That may well be said, e.g. a name; name^2: more so; @FILE: one on each line. Repeatable.",
        rich_help_panel=_SEARCH,
    ),
]
_LanguageModel = Annotated[
    Path | None,
    typer.Option(help="n-gram file over the model's pieces. [default: the model's]", rich_help_panel=_SEARCH),
]
_Graph = Annotated[
    Path | None,
    typer.Option(
        help="Say only words of this file (one a line), or texts of its n-grams (.arpa).", rich_help_panel=_SEARCH
    ),
]


class TaskName(StrEnum):
    asr = "asr"
    st = "st"


def transcribe(
    paths: Annotated[
        list[str],
        typer.Argument(help="Files, directories, globs, manifests (.jsonl), or - for standard input."),
    ],
    language: Annotated[
        str, typer.Option(help="Of the speech: auto, a code or name such as deu, de, German, or several: eng,spa.")
    ] = AUTO,
    task: Annotated[
        TaskName, typer.Option(help="asr: transcribe; st: translate, if the model can (needs --to).")
    ] = TaskName.asr,
    to: Annotated[str | None, typer.Option(help="Target language of a translation.")] = None,
    format: Annotated[Format, typer.Option(help="What to write.")] = Format.txt,
    output_dir: Annotated[Path | None, typer.Option(help="One file per input; what is there is skipped.")] = None,
    channel: ChannelNumber = None,
    track: TrackNumber = None,
    model: Annotated[str, typer.Option(help="embedded, a directory, or a hub id.", rich_help_panel=_MODEL)] = EMBEDDED,
    device: Annotated[str, typer.Option(help="cpu, cuda, ...", rich_help_panel=_MODEL)] = "cpu",
    precision: Annotated[
        Precision, typer.Option(help="auto: int8 on an x86 CPU, bfloat16 on a GPU.", rich_help_panel=_MODEL)
    ] = Precision.auto,
    conditioning_top: _ConditioningTop = None,
    adapters: AdapterFolder = None,
    cut: _Cut = Cut.pauses,
    beam: _Beam = None,
    phrase: _Phrases = None,
    lm: _LanguageModel = None,
    graph: _Graph = None,
    max_line_width: MaxLineWidth = None,
    max_lines: MaxLines = None,
    max_cps: MaxCps = None,
    highlight_words: HighlightWords = False,
    engine: Annotated[
        str | None,
        typer.Option(
            help="local, ray or shard=i/n: workers and a ledger beside the results; needs --output-dir.",
            rich_help_panel=_MANY,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="Of an engine. [default: 1; with ray as many as there is room for]", rich_help_panel=_MANY
        ),
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="With an engine: also what has failed before.", rich_help_panel=_MANY)
    ] = False,
) -> None:
    """Transcribe audio, or translate it if the model can. Exit code 2 if some files failed; the others are done."""
    if (task == TaskName.st) != (to is not None):
        raise ConfigError("--task st and --to belong together", fix="E.g. --task st --to eng.")
    if engine is not None and output_dir is None:
        raise ConfigError(f"--engine {engine} needs --output-dir", fix="Say where the results are to be put.")
    rendering = Rendering(format, style_of(format, max_line_width, max_lines, max_cps, highlight_words))
    inputs = expand(paths)
    targets = target_paths(inputs.files, output_dir, format) if output_dir is not None else {}
    if format in SUBTITLES and not targets and len(inputs.files) > 1:
        text = f"{len(inputs.files)} files would be one stream of {format}"
        raise ConfigError(text, fix="Give --output-dir: one file for each.")
    for file in (lm, graph):
        if file is not None:
            check_readable(file)
    job = {
        "model": model, "language": language, "to": to, "device": device, "precision": precision, "beam": beam,
        "language_model": lm, "conditioning_top": conditioning_top, "cut": cut, "graph": graph, "adapters": adapters,
        "channel": channel, "track": track,
    }  # fmt: skip
    batch = {} if engine is None else {"engine": engine, "workers": workers, "retry": retry}
    with loading():
        work = import_module(_RUN)
    work.transcribe_files(job, phrase or [], inputs, targets, output_dir, rendering, **batch)
