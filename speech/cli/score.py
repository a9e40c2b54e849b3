"""`speech score`: score the transcripts of one or several systems, in any mixture of languages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from speech.choices import EMBEDDED
from speech.cli import options
from speech.cli.console import stderr, stdout, to_json, write
from speech.cli.interruption import loading
from speech.cli.pairings import pairings
from speech.cli.progress import progress
from speech.cli.score_table import HEADINGS, print_groups, print_systems
from speech.data.texts import Text, read_texts
from speech.errors import ConfigError, FileError
from speech.files import check_writable, is_stream, printable, write_atomically
from speech.metrics.bootstrap import Figure
from speech.metrics.groups import group_dicts, group_name, groups_of
from speech.metrics.latency import COMPUTATION_AWARE, emission, latency_figures
from speech.metrics.meaning.saer import saer
from speech.metrics.meaning.semantic import named_encoder
from speech.metrics.meaning.vectors import Vectors
from speech.metrics.processes import score_utterances
from speech.metrics.report.page import Report, audio_link, embedded_audio, render
from speech.metrics.systems import SystemScore, compare, finite, score_system, to_dict, with_figures
from speech.metrics.translation import translation_figures
from speech.metrics.utterance import Pairing
from speech.text.languages import resolve
from speech.text.units import UnitKind

_RUN = "speech.cli.simulate"


class EncoderName(StrEnum):
    auto = "auto"
    labse = "labse"
    e5 = "e5"
    use = "use"
    none = "none"


@dataclass(frozen=True, slots=True)
class _Wishes:
    """Options of a simulation, as given."""

    policy: str | None
    latency_ms: str | None
    n: str | None
    threshold: str | None
    append: bool
    computation_aware: bool
    model: str
    device: str

    @property
    def any(self) -> bool:
        """Whether one that only a simulation has is given."""
        return self.append or self.computation_aware or any((self.policy, self.latency_ms, self.n, self.threshold))


def score(
    reference: Annotated[Path, typer.Argument(help="Reference: a manifest, JSONL, lines of id and text, or a folder.")],
    hypothesis: Annotated[
        Path | None, typer.Argument(help="Hypotheses of the first system, with the same ids; optional with --simulate.")
    ] = None,
    system: Annotated[
        list[str] | None, typer.Option(help="Another system to compare with the first: NAME=FILE. Repeatable.")
    ] = None,
    encoder: Annotated[
        EncoderName, typer.Option(help="Sentence encoder of SAER; auto: LaBSE, else e5, else use.")
    ] = EncoderName.auto,
    form: Annotated[UnitKind, typer.Option(help="Units that SAER counts.")] = UnitKind.auto,
    weight: Annotated[float, typer.Option(help="Weight of the error rate in SAER, 0 to 1; the rest is meaning.")] = 0.5,
    cache: Annotated[Path | None, typer.Option(help="File that caches sentence vectors.")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write all figures, also per utterance, as JSON; - for stdout.")
    ] = None,
    translation: Annotated[
        bool,
        typer.Option(
            "--translation", help="Also compute BLEU and chrF, on the texts as written; of a stream, its translation."
        ),
    ] = False,
    to: Annotated[
        str | None,
        typer.Option(help="Compare with the `translations` of the reference into this language; with --translation."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a report as one HTML file, with each utterance.")] = None,
    embed_audio: Annotated[
        bool, typer.Option("--embed-audio", help="Embed the audio of the reference in the report.")
    ] = False,
    simulate: options.Simulate = False,
    policy: options.Policies = None,
    latency_ms: options.Latencies = None,
    n: options.Counts = None,
    threshold: options.Thresholds = None,
    append: options.Append = False,
    computation_aware: options.ComputationAware = False,
    model: options.ModelName = EMBEDDED,
    device: options.Device = "cpu",
) -> None:
    """Score transcripts: WER, CER, MER, PIER, errors at switches, word languages, SAER; BLEU, chrF, latency."""
    if embed_audio and html is None:
        raise ConfigError("--embed-audio without --html", fix="Name the report: --html FILE.")
    wishes = _Wishes(policy, latency_ms, n, threshold, append, computation_aware, model, device)
    _check_simulation(simulate, hypothesis, to, wishes)
    target = None if to is None else resolve(to).code
    translation = translation or target is not None
    paths = _systems(hypothesis, system or [])
    _check_outputs([reference, *paths.values()], {"--html": html, "--json": json_file})
    wanted = read_texts(reference, to=target)
    read = {name: read_texts(path, translation=translation) for name, path in paths.items()}
    files = [(name, pairings(wanted, texts, printable(paths[name]))) for name, texts in read.items()]
    live = _simulated(reference, wanted, target or "", wishes, paths) if simulate else ()
    vectors = _vectors(encoder, cache)
    paired: dict[str, list[Pairing]] = {}
    found: list[SystemScore] = []
    for name, own in chain(files, live):
        paired[name] = own
        aware = computation_aware and name not in paths
        one = _score_system(name, own, vectors, form, weight)
        found.append(with_figures(one, _figures(own, translation, COMPUTATION_AWARE if aware else "")))
        if simulate and json_file is not None and json_file != Path("-") and not is_stream(json_file):
            _write_json(json_file, found, own)  # whatever happens to the next setting
    compared = [compare(found[0], other) for other in found[1:]]
    console = stderr() if json_file == Path("-") else stdout()
    groups = groups_of(map(group_name, next(iter(paired.values()))))
    print_systems(console, found, compared)
    print_groups(console, groups, found)
    if html is not None:
        audio = [_audio(text, html, embed_audio) for text in wanted.values()]
        report = Report(printable(reference.name), found, compared, groups, list(paired.values()), audio, HEADINGS)
        write_atomically(html, render(report))
    if json_file is not None:
        _write_json(json_file, found, next(iter(paired.values())))


def _check_simulation(simulate: bool, hypothesis: Path | None, to: str | None, wishes: _Wishes) -> None:
    """Check that there is something to score, and that options of a simulation are given to one."""
    if simulate and to is None:
        raise ConfigError("--simulate translates", fix="Name the language: --to eng.")
    if not simulate and wishes.any:
        raise ConfigError("a policy is simulated", fix="Add --simulate, or leave out the options of simulations.")
    if not simulate and hypothesis is None:
        raise ConfigError("nothing to score", fix="Give a file of hypotheses, or --simulate.")


def _simulated(
    reference: Path,
    wanted: Mapping[str, Text],
    to: str,
    wishes: _Wishes,
    taken: Mapping[str, Path],
) -> Iterator[tuple[str, list[Pairing]]]:
    """Check the options, then simulate each setting: its name and pairings come as soon as it is done."""
    with loading():
        run = import_module(_RUN)
    chosen = run.policy_settings(wishes.policy, wishes.latency_ms, wishes.n, wishes.threshold, append=wishes.append)
    for name in chosen:
        if name in taken:
            raise ConfigError(f"two systems are called {name!r}", fix="Give the --system another name.")
    simulation = run.Simulation(wishes.model, wishes.device, to, chosen, wishes.computation_aware)
    return ((name, pairings(wanted, texts, name)) for name, texts in run.simulate(reference, wanted, simulation))


def _write_json(path: Path, found: Sequence[SystemScore], pairs: Sequence[Pairing]) -> None:
    """Write all figures of the systems so far."""
    compared = [compare(found[0], other) for other in found[1:]]
    groups = group_dicts(groups_of(map(group_name, pairs)), found)
    text = to_json(finite(to_dict(found, compared) | {"groups": groups}), indent=1) + "\n"
    if path == Path("-"):
        write(text)
    else:
        write_atomically(path, text)


def _check_outputs(inputs: Sequence[Path], outputs: Mapping[str, Path | None]) -> None:
    """Check, before scoring, that each output can be written and overwrites no input and no other output."""
    taken = {path.resolve(): "what is scored" for path in inputs}
    for option, path in outputs.items():
        if path is None or path == Path("-") or is_stream(path):
            continue
        if path.resolve() in taken:
            raise ConfigError(f"{option} {printable(path)} is {taken[path.resolve()]} too", fix="Name another file.")
        taken[path.resolve()] = f"the file of {option}"
        if path.is_dir():
            raise FileError("cannot be written: is a directory", where=printable(path), fix=f"{option} names a file.")
        if not path.parent.is_dir():  # a mistyped name creates no folder
            raise FileError("cannot be written: there is no such folder", where=printable(path))
        check_writable(path.parent)


def _systems(first: Path | None, others: Sequence[str]) -> dict[str, Path]:
    found = {} if first is None else {printable(first.stem): first}
    for given in others:
        name, _, path = given.partition("=")
        if not name or not path:
            raise ConfigError(f"--system {given}", fix="Write NAME=FILE.")
        if name in found:
            raise ConfigError(f"two systems are called {name!r}", fix="Give each --system a name of its own.")
        found[name] = Path(path)
    return found


def _vectors(name: EncoderName, cache: Path | None) -> Vectors | None:
    return None if name == EncoderName.none else Vectors(named_encoder(name), cache)


def _score_system(
    name: str, pairings: Sequence[Pairing], vectors: Vectors | None, form: UnitKind, weight: float
) -> SystemScore:
    meaning = None
    with progress() as bars:
        words = bars.add_task(f"{name}: words", total=len(pairings))
        scores = score_utterances(pairings, progress=lambda done, _: bars.update(words, completed=done))
        if vectors is not None:
            task = bars.add_task(f"{name}: meaning", total=None)
            meaning = saer(
                pairings,
                vectors,
                scores=scores,
                form=form,
                weight=weight,
                progress=lambda done, all_of: bars.update(task, completed=done, total=all_of),
            )
    return score_system(name, scores, meaning)


def _figures(pairings: Sequence[Pairing], translation: bool, clock: str) -> dict[str, Figure]:
    """Figures beside error rates: latency, and BLEU and chrF if requested."""
    found = latency_figures([emission(pairing) for pairing in pairings], clock)
    if translation:
        found |= translation_figures(
            [pairing.reference for pairing in pairings],
            [pairing.hypothesis for pairing in pairings],
            [next(iter(pairing.languages), None) for pairing in pairings],
        )
    return found


def _audio(text: Text, html: Path, embed: bool) -> str | None:
    """URL of the audio for the report."""
    if text.audio is None:
        return None
    return embedded_audio(text.audio) if embed else audio_link(text.audio, html.parent)
