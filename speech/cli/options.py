"""Options that commands share, and the many of `speech transcribe`: what each is called in help, and under which
heading."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from speech.choices import Cut, Precision
from speech.cli.results import OutputFormat

_AUDIO = "Audio"
_MODEL = "Model"
_SEARCH = "Search for the text"
_LOOK = "Subtitles"
_MANY = "Many files"

LanguageNames = Annotated[
    str, typer.Option(help="Of the speech: auto, a code or name such as deu, de, German, or several: eng,spa.")
]
Target = Annotated[str | None, typer.Option(help="Target language of a translation.")]
FormatName = Annotated[OutputFormat, typer.Option(help="What to write.")]
OutputDir = Annotated[Path | None, typer.Option(help="One file per input; what is there is skipped.")]
Plain = Annotated[bool, typer.Option("--plain", help="Without capitals and punctuation.")]
Nbest = Annotated[
    int,
    typer.Option(min=1, max=10, help="Also the next likely texts, so many in all; JSON only.", rich_help_panel=_SEARCH),
]
ChannelNumber = Annotated[
    int | None,
    typer.Option(min=0, help="Hear this channel alone, from 0. [default: the mean of all]", rich_help_panel=_AUDIO),
]
TrackNumber = Annotated[
    int | None,
    typer.Option(
        min=0, help="Hear this audio track, from 0. [default: the one that the file marks]", rich_help_panel=_AUDIO
    ),
]
ModelName = Annotated[str, typer.Option(help="embedded, a directory, or a hub id.", rich_help_panel=_MODEL)]
Device = Annotated[str, typer.Option(help="cpu, cuda, ...", rich_help_panel=_MODEL)]
PrecisionName = Annotated[
    Precision, typer.Option(help="auto: int8 on an x86 CPU, bfloat16 on a GPU.", rich_help_panel=_MODEL)
]
ConditioningTop = Annotated[
    int | None,
    typer.Option(help="Tokens of a frame that are fed back into the encoder. [default: all]", rich_help_panel=_MODEL),
]
AdapterFolder = Annotated[
    Path | None,
    typer.Option(help="Folder of adapters for the model. [default: those beside it]", rich_help_panel=_MODEL),
]
CutName = Annotated[
    Cut,
    typer.Option(
        help="Where long audio is cut: at pauses, or into windows of 30 s as OWSM-CTC is published.",
        rich_help_panel=_MODEL,
    ),
]
Beam = Annotated[
    int | None,
    typer.Option(
        help="Texts kept in the search; 1: the best token of each frame. [default: 8 with an n-gram model, else 1]",
        rich_help_panel=_SEARCH,
    ),
]
PhraseList = Annotated[
    list[str] | None,
    typer.Option(
        help="That may well be said, e.g. a name; name^2: more so; @FILE: one on each line. Repeatable.",
        rich_help_panel=_SEARCH,
    ),
]
LanguageModel = Annotated[
    Path | None,
    typer.Option(help="n-gram file over the model's pieces. [default: the model's]", rich_help_panel=_SEARCH),
]
Graph = Annotated[
    Path | None,
    typer.Option(
        help="Say only words of this file (one a line), or texts of its n-grams (.arpa).", rich_help_panel=_SEARCH
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
EngineName = Annotated[
    str | None,
    typer.Option(
        help="local, ray or shard=i/n: workers and a ledger beside the results; needs --output-dir.",
        rich_help_panel=_MANY,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1, help="Of an engine. [default: 1; with ray as many as there is room for]", rich_help_panel=_MANY
    ),
]
Retry = Annotated[
    bool, typer.Option("--retry", help="With an engine: also what has failed before.", rich_help_panel=_MANY)
]
