"""`speech score`: how good transcripts are, of one system or several, in any mixture of languages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from speech.cli.transcribe import progress_on, write_atomically
from speech.data.texts import Text, check_ids, read_texts
from speech.errors import ConfigError, DataError
from speech.metrics.bootstrap import Difference, Interval
from speech.metrics.corpus import Pairing, score_utterance
from speech.metrics.saer import Sample, saer
from speech.metrics.semantic import LaBSE, MultilingualE5, MultilingualUSE, SemanticEncoder, available_encoder
from speech.metrics.systems import SAER, SystemScore, compare, score_system, to_dict
from speech.metrics.vectors import Vectors
from speech.text.units import Form

_HEADINGS = {"wer": "WER", "cer": "CER", "mer": "MER", "pier": "PIER", "switch": "at switches", SAER: "SAER"}


class EncoderName(StrEnum):
    auto = "auto"
    labse = "labse"
    e5 = "e5"
    use = "use"
    none = "none"


def score(
    reference: Annotated[
        Path, typer.Argument(help="What was said: manifest, JSONL, lines of id and text, or a folder.")
    ],
    hypothesis: Annotated[Path, typer.Argument(help="What was recognised, with the same ids.")],
    system: Annotated[
        list[str] | None, typer.Option(help="Another system, NAME=FILE, to compare with the first. Repeatable.")
    ] = None,
    encoder: Annotated[
        EncoderName, typer.Option(help="For meaning. auto: LaBSE, else e5, else use.")
    ] = EncoderName.auto,
    form: Annotated[Form, typer.Option(help="What SAER counts.")] = Form.auto,
    weight: Annotated[float, typer.Option(help="Share of the form in SAER; the rest is meaning.")] = 0.5,
    cache: Annotated[Path | None, typer.Option(help="Where vectors of sentences are kept.")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="All figures, of each utterance too; - for stdout.")
    ] = None,
) -> None:
    """Score transcripts: WER, CER, MER, PIER, errors at switches, languages of words, SAER."""
    console = Console(highlight=False, stderr=json_file == Path("-"))
    paths = _systems(hypothesis, system or [])
    wanted = read_texts(reference)
    systems = {name: read_texts(path) for name, path in paths.items()}
    for name, texts in systems.items():
        check_ids(wanted, texts, str(paths[name]))
    vectors = _vectors(encoder, cache)
    found = [_score_system(name, wanted, texts, vectors, form, weight, console) for name, texts in systems.items()]
    compared = [compare(found[0], other) for other in found[1:]]
    _print(console, found, compared)
    if json_file is not None:
        text = json.dumps(to_dict(found, compared), ensure_ascii=False, indent=1) + "\n"
        if json_file == Path("-"):
            typer.echo(text, nl=False)
        else:
            _write(json_file, text)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.stat()  # no new folders for a mistyped name
        write_atomically(path, text)
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror}", where=str(path)) from error


def _systems(first: Path, others: Sequence[str]) -> dict[str, Path]:
    found = {first.stem: first}
    for given in others:
        name, _, path = given.partition("=")
        if not name or not path:
            raise ConfigError(f"--system {given}", fix="Write NAME=FILE.")
        if name in found:
            raise ConfigError(f"two systems are called {name!r}", fix="Give each --system a name of its own.")
        found[name] = Path(path)
    return found


def _vectors(name: EncoderName, cache: Path | None) -> Vectors | None:
    made: dict[EncoderName, type[SemanticEncoder]] = {
        EncoderName.labse: LaBSE,
        EncoderName.e5: MultilingualE5,
        EncoderName.use: MultilingualUSE,
    }
    if name == EncoderName.none:
        return None
    return Vectors(available_encoder() if name == EncoderName.auto else made[name](), cache)


def _score_system(
    name: str,
    reference: Mapping[str, Text],
    hypothesis: Mapping[str, Text],
    vectors: Vectors | None,
    form: Form,
    weight: float,
    console: Console,
) -> SystemScore:
    pairings = [_pairing(text, hypothesis[key]) for key, text in reference.items()]
    meaning = None
    with progress_on(console) as progress:
        scores = [score_utterance(pairing) for pairing in progress.track(pairings, description=f"{name}: words")]
        if vectors is not None:
            task = progress.add_task(f"{name}: meaning", total=None)
            meaning = saer(
                [pairing.sample for pairing in pairings],
                vectors,
                form=form,
                weight=weight,
                progress=lambda done, all_of: progress.update(task, completed=done, total=all_of),
            )
    return score_system(name, scores, meaning)


def _pairing(reference: Text, hypothesis: Text) -> Pairing:
    tagged = tuple(place for place, word in enumerate(reference.words) if word.tagged)
    return Pairing(
        Sample(reference.text, hypothesis.text, reference.languages, reference.id),
        tuple((word.text, word.language) for word in reference.words),
        tuple((word.text, word.language) for word in hypothesis.words),
        tagged or None,
    )


def _print(console: Console, systems: Sequence[SystemScore], compared: Sequence[Mapping[str, Difference]]) -> None:
    counted = systems[0].total
    table = Table(title=f"{counted.utterances} utterances; 95 % confidence", title_justify="left")
    table.add_column("")
    for system in systems:
        table.add_column(system.name, justify="right")
        if system is not systems[0]:
            table.add_column("p", justify="right")
    for name, heading in _HEADINGS.items():
        cells = [_sure(system.intervals.get(name)) for system in systems]
        if any(cells):
            table.add_row(heading, cells[0], *_with_p(cells[1:], compared, name))
    if counted.attributed.words:
        rates = [f"{system.total.attributed.rate:.3f}" for system in systems]
        table.add_row("languages of words", rates[0], *[cell for rate in rates[1:] for cell in (rate, "")])
    console.print(table)
    if counted.points.points.reference_length and counted.points.skipped:
        console.print(f"PIER leaves out {counted.points.skipped} utterances: no point of interest, or nothing else")
    console.print(systems[0].signature, soft_wrap=True)


def _sure(one: Interval | None) -> str:
    return f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]" if one else ""


def _with_p(cells: Sequence[str], compared: Sequence[Mapping[str, Difference]], name: str) -> list[str]:
    both = zip(cells, compared, strict=True)
    return [part for cell, found in both for part in (cell, f"{found[name].p:.3f}" if name in found else "")]
