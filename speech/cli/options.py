"""Options shared by several commands, those of `speech transcribe`, and those of simulations, with help and heading."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from speech.choices import Cut, OpinionName, Precision
from speech.cli.results import OutputFormat

_AUDIO = "Audio"
_MODEL = "Model"
_SEARCH = "Decoding"
_TRANSLATION = "Translation of the text"
_LOOK = "Subtitles"
_MANY = "Many files"
_SIMULATION = "Simulation"
_SPOKEN = "Spoken texts"

LanguageNames = Annotated[
    str, typer.Option(help="Spoken language: auto, a code or a name such as deu, de, German, or several: eng,spa.")
]
Target = Annotated[str | None, typer.Option(help="Language to translate into; needs --task st or --translator.")]
FormatName = Annotated[OutputFormat, typer.Option(help="Output format.")]
OutputDir = Annotated[Path | None, typer.Option(help="Write one file per input here; existing files are skipped.")]
Plain = Annotated[bool, typer.Option("--plain", help="Write without capitals and punctuation.")]
Nbest = Annotated[
    int,
    typer.Option(min=1, max=10, help="Number of most likely texts to list; JSON only.", rich_help_panel=_SEARCH),
]
ChannelNumber = Annotated[
    int | None,
    typer.Option(min=0, help="Channel to use, from 0. [default: the mean of all]", rich_help_panel=_AUDIO),
]
TrackNumber = Annotated[
    int | None,
    typer.Option(min=0, help="Audio track to use, from 0. [default: the file's default track]", rich_help_panel=_AUDIO),
]
ModelName = Annotated[str, typer.Option(help="Model: embedded, a directory, or a hub id.", rich_help_panel=_MODEL)]
Device = Annotated[str, typer.Option(help="Device: cpu, cuda, cuda:1, mps or xpu.", rich_help_panel=_MODEL)]
PrecisionName = Annotated[
    Precision, typer.Option(help="Number format; auto: int8 on an x86 CPU, bfloat16 on a GPU.", rich_help_panel=_MODEL)
]
ConditioningTop = Annotated[
    int | None,
    typer.Option(
        help="Feed back only the best N tokens of a frame into the encoder (self-conditioning). [default: all]",
        rich_help_panel=_MODEL,
    ),
]
AdapterFolder = Annotated[
    Path | None,
    typer.Option(help="Folder of language adapters. [default: those beside the model]", rich_help_panel=_MODEL),
]
CutName = Annotated[
    Cut,
    typer.Option(
        help="Where to cut long audio: at pauses, or into windows of 30 s as published for OWSM-CTC.",
        rich_help_panel=_MODEL,
    ),
]
Beam = Annotated[
    int | None,
    typer.Option(
        help="Beam width; 1: greedy. [default: 8 with an n-gram model, else 1]",
        rich_help_panel=_SEARCH,
    ),
]
PhraseList = Annotated[
    list[str] | None,
    typer.Option(
        help="Phrase to boost, such as a name; TEXT^2 doubles the boost; @FILE has one on each line. Repeatable.",
        rich_help_panel=_SEARCH,
    ),
]
LanguageModel = Annotated[
    Path | None,
    typer.Option(help="n-gram model over the model's tokens. [default: the model's own]", rich_help_panel=_SEARCH),
]
Graph = Annotated[
    Path | None,
    typer.Option(
        help="Allow only the words in this file (one per line), or the texts of its n-grams (.arpa).",
        rich_help_panel=_SEARCH,
    ),
]
ToxicWordsFolder = Annotated[
    Path | None,
    typer.Option(
        help="Folder of lists such as eng.txt: translate without these words unless the speech has some (--task st); "
        "those that a text translator cannot leave out are reported in JSON.",
        rich_help_panel=_SEARCH,
    ),
]
TranslatorName = Annotated[
    str | None,
    typer.Option(
        help="Translate the text into --to with this: DIR or hub id of CTranslate2, or URL of a chat endpoint; "
        "=spa:fra behind it names the languages.",
        rich_help_panel=_TRANSLATION,
    ),
]
TranslatorModel = Annotated[
    str | None,
    typer.Option(
        help="Model at the URL of --translator; its key: SPEECH_TRANSLATOR_KEY.", rich_help_panel=_TRANSLATION
    ),
]
MaxLineWidth = Annotated[
    int | None,
    typer.Option(help="Columns per line; East Asian characters take two. [default: 42]", rich_help_panel=_LOOK),
]
MaxLines = Annotated[int | None, typer.Option(help="Lines per subtitle. [default: 2]", rich_help_panel=_LOOK)]
MaxCps = Annotated[
    float | None,
    typer.Option(
        help="Reading speed in columns per second; a subtitle stays that long if the next allows it. [default: 20]",
        rich_help_panel=_LOOK,
    ),
]
HighlightWords = Annotated[
    bool, typer.Option("--highlight-words", help="Underline each word while it is spoken.", rich_help_panel=_LOOK)
]
EngineName = Annotated[
    str | None,
    typer.Option(
        help="Use workers and a ledger: local, ray or shard=i/n; needs --output-dir.",
        rich_help_panel=_MANY,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Workers of --engine. [default: 1; with ray as many as fit]", rich_help_panel=_MANY),
]
Retry = Annotated[
    bool, typer.Option("--retry", help="With --engine: try again files that failed before.", rich_help_panel=_MANY)
]

BesideTranslation = Annotated[
    bool,
    typer.Option(
        "--translation", help="Also compute BLEU and chrF, on the texts as written; of a stream, its translation."
    ),
]
Simulate = Annotated[
    bool,
    typer.Option(
        "--simulate",
        help="Translate the audio of the reference in live sessions on a virtual clock; each setting is a system. "
        "Needs --to.",
        rich_help_panel=_SIMULATION,
    ),
]
Policies = Annotated[
    str | None,
    typer.Option(
        help="When a translation is written, separated by commas: complete (parts), align_att, local_agreement, "
        "hold_n, wait_k, emma. [default: complete]",
        rich_help_panel=_SIMULATION,
    ),
]
Latencies = Annotated[
    str | None,
    typer.Option(
        help="Latency settings of align_att and local_agreement in ms, separated by commas.",
        rich_help_panel=_SIMULATION,
    ),
]
Counts = Annotated[
    str | None,
    typer.Option(
        help="Settings of hold_n (tokens), wait_k (words) and local_agreement (drafts), separated by commas.",
        rich_help_panel=_SIMULATION,
    ),
]
Thresholds = Annotated[
    str | None,
    typer.Option(help="Least probabilities of emma, separated by commas.", rich_help_panel=_SIMULATION),
]
Append = Annotated[
    bool,
    typer.Option(
        "--append", help="Never take back what a policy has written of a translation.", rich_help_panel=_SIMULATION
    ),
]
ComputationAware = Annotated[
    bool,
    typer.Option(
        "--computation-aware",
        help="Latency: also count the time that this machine computes.",
        rich_help_panel=_SIMULATION,
    ),
]

Spoken = Annotated[
    bool,
    typer.Option(
        "--speech",
        help="Score spoken texts: REFERENCE, HYPOTHESIS and --system are manifests with audio, or folders of "
        "ID.txt and a recording beside each; --model recognises them.",
        rich_help_panel=_SPOKEN,
    ),
]
SpokenLanguage = Annotated[
    str | None, typer.Option(help="Language of texts for which no other is given.", rich_help_panel=_SPOKEN)
]
VoiceReferences = Annotated[
    list[Path] | None,
    typer.Option(
        help="Compare voices with these: a manifest or folder with the same ids, or one recording. Repeatable.",
        rich_help_panel=_SPOKEN,
    ),
]
Opinions = Annotated[
    list[OpinionName] | None,
    typer.Option(help="Predict opinions of listeners by this network. Repeatable.", rich_help_panel=_SPOKEN),
]
ListeningPage = Annotated[
    Path | None,
    typer.Option(
        help="Write a page where one listens to two systems or more, blind, and votes; --embed-audio for a page that "
        "needs no other file.",
        rich_help_panel=_SPOKEN,
    ),
]
PageSeed = Annotated[
    int, typer.Option(help="Seed of the order in which the page plays.", min=0, rich_help_panel=_SPOKEN)
]
