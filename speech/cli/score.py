"""`speech score`: score the transcripts of one or several systems, in any mixture of languages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from speech.choices import EMBEDDED, OpinionName
from speech.cli import options
from speech.cli.console import stderr, stdout, to_json, write
from speech.cli.interruption import loading
from speech.cli.pairings import pairings
from speech.cli.progress import progress
from speech.cli.score_table import HEADINGS, print_groups, print_runs, print_systems
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
_SPOKEN = "speech.cli.score_speech"


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


@dataclass(frozen=True, slots=True)
class _SpokenWishes:
    """Options of spoken texts, as given."""

    language: str | None
    references: Sequence[Path]
    opinions: Sequence[OpinionName]
    page: Path | None
    seed: int
    embed_audio: bool
    model: str
    device: str

    @property
    def any(self) -> bool:
        """Whether one that only spoken texts have is given."""
        return bool(self.language or self.references or self.opinions or self.page)


class _System(NamedTuple):
    """A system to be scored."""

    name: str
    pairings: Sequence[Pairing]
    figures: Mapping[str, Figure]
    """Beside error rates and SAER."""
    details: Sequence[Mapping[str, Any]] = ()
    """More of each utterance, for JSON."""


class _Outputs(NamedTuple):
    """What is written."""

    html: Path | None
    json_file: Path | None
    at_once: bool
    """Whether figures are written after each system."""


def score(
    reference: Annotated[Path, typer.Argument(help="Reference: a manifest, JSONL, lines of id and text, or a folder.")],
    hypothesis: Annotated[
        Path | None,
        typer.Argument(help="Hypotheses of the first system, with the same ids; optional with --simulate, --speech."),
    ] = None,
    system: Annotated[
        list[str] | None, typer.Option(help="Another system to compare with the first: NAME=FILE. Repeatable.")
    ] = None,
    encoder: Annotated[
        EncoderName, typer.Option(help="Sentence encoder of SAER; auto: LaBSE, else e5, else use; none with --speech.")
    ] = EncoderName.auto,
    form: Annotated[UnitKind, typer.Option(help="Units that SAER counts.")] = UnitKind.auto,
    weight: Annotated[float, typer.Option(help="Weight of the error rate in SAER, 0 to 1; the rest is meaning.")] = 0.5,
    cache: Annotated[Path | None, typer.Option(help="File that caches sentence vectors.")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write all figures, also per utterance, as JSON; - for stdout.")
    ] = None,
    translation: options.BesideTranslation = False,
    to: Annotated[
        str | None,
        typer.Option(help="Compare with the `translations` of the reference into this language; with --translation."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a report as one HTML file, with each utterance.")] = None,
    embed_audio: Annotated[
        bool, typer.Option("--embed-audio", help="Embed the audio in the report, and in the --page.")
    ] = False,
    speech: options.Spoken = False,
    language: options.SpokenLanguage = None,
    references: options.VoiceReferences = None,
    opinions: options.Opinions = None,
    page: options.ListeningPage = None,
    seed: options.PageSeed = 0,
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
    """Score transcripts: WER, CER, MER, PIER, errors at switches, word languages, SAER; BLEU, chrF, latency; or speech:
    WER of what a recogniser hears, skips, rate, pauses, voice, predicted opinions."""
    if embed_audio and html is None and page is None:
        raise ConfigError("--embed-audio without --html", fix="Name the report: --html FILE.")
    wishes = _Wishes(policy, latency_ms, n, threshold, append, computation_aware, model, device)
    spoken = _SpokenWishes(language, references or (), opinions or (), page, seed, embed_audio, model, device)
    _check_spoken(speech, spoken, simulate or wishes.any or translation or to is not None)
    if not speech:
        _check_simulation(simulate, hypothesis, to, wishes)
    target = None if to is None else resolve(to).code
    paths = _systems([reference, hypothesis] if speech else [hypothesis], system or [])
    _check_outputs([reference, *paths.values()], {"--html": html, "--json": json_file, "--page": page})
    outputs = _Outputs(html, json_file, simulate or speech)
    if speech:
        vectors = None if encoder == EncoderName.auto else _vectors(encoder, cache)
        wanted, systems = _spoken(reference, paths, spoken)
    else:
        wanted, systems = _transcripts(reference, paths, translation or target is not None, target, wishes, simulate)
        vectors = _vectors(encoder, cache)
    audio = [] if html is None else [_audio(text, html, embed_audio) for text in wanted]
    _score(printable(reference.name), systems, audio, outputs, lambda one: _score_system(one, vectors, form, weight))


def _score(
    name: str,
    systems: Iterator[_System],
    audio: Sequence[str | None],
    outputs: _Outputs,
    score_one: Callable[[_System], SystemScore],
) -> None:
    """Score systems one after the other; print and write their figures.

    Args:
        name: of what is scored, for the report.
        audio: URL of each utterance's audio for the report, as far as there is one.
    """
    html, json_file, at_once = outputs
    done: list[_System] = []
    found: list[SystemScore] = []
    for one in systems:
        done.append(one)
        found.append(with_figures(score_one(one), one.figures))
        if at_once and json_file is not None and json_file != Path("-") and not is_stream(json_file):
            _write_json(json_file, found, done)  # whatever happens to the next system
    compared = [compare(found[0], other) for other in found[1:]]
    console = stderr() if json_file == Path("-") else stdout()
    groups = groups_of(map(group_name, done[0].pairings))
    print_systems(console, found, compared)
    print_groups(console, groups, found)
    for one in done:
        print_runs(console, one.name, one.pairings, one.details)
    if html is not None:
        report = Report(name, found, compared, groups, [one.pairings for one in done], audio, HEADINGS)
        write_atomically(html, render(report))
    if json_file is not None:
        _write_json(json_file, found, done)


def _transcripts(
    reference: Path, paths: Mapping[str, Path], translation: bool, target: str | None, wishes: _Wishes, simulate: bool
) -> tuple[list[Text], Iterator[_System]]:
    """Read transcripts: the references, and each system's; those of simulations as soon as they are done."""
    wanted = read_texts(reference, to=target)
    read = {name: read_texts(path, translation=translation) for name, path in paths.items()}
    files = [(name, pairings(wanted, texts, printable(paths[name]))) for name, texts in read.items()]
    live = _simulated(reference, wanted, target or "", wishes, paths) if simulate else ()

    def systems() -> Iterator[_System]:
        for name, own in chain(files, live):
            aware = wishes.computation_aware and name not in paths
            yield _System(name, own, _figures(own, translation, COMPUTATION_AWARE if aware else ""))

    return list(wanted.values()), systems()


def _spoken(reference: Path, paths: Mapping[str, Path], wishes: _SpokenWishes) -> tuple[list[Text], Iterator[_System]]:
    """Read spoken texts, write the page, and measure each system when it is asked for."""
    with loading():
        run = import_module(_SPOKEN)
    language = None if wishes.language is None else resolve(wishes.language).code
    systems, references = run.read_systems(paths, language, wishes.references)
    if wishes.page is not None:  # it needs no model
        run.write_page(wishes.page, printable(reference.name), systems, wishes.seed, embed=wishes.embed_audio)
    scorer = run.SpeechScorer(wishes.model, wishes.device, wishes.opinions, references)
    scored = run.score_systems(scorer, systems)
    texts = list(next(iter(systems.values())).values())
    if len(systems) > 1:  # the report has one recording for each text
        texts = [replace(text, audio=None) for text in texts]
    return texts, (_System(one.name, one.pairings, one.figures, one.details) for one in scored)


def _check_spoken(speech: bool, wishes: _SpokenWishes, others: bool) -> None:
    """Check that options of spoken texts are given to some, and no others."""
    if not speech and wishes.any:
        fault = "--language, --references, --opinions and --page are for spoken texts"
        raise ConfigError(fault, fix="Add --speech, or leave them out.")
    if speech and others:
        fault = "--speech scores no translations and no simulations"
        raise ConfigError(fault, fix="Leave out --translation, --to, --simulate and its options.")


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


def _write_json(path: Path, found: Sequence[SystemScore], systems: Sequence[_System]) -> None:
    """Write all figures of the systems so far."""
    compared = [compare(found[0], other) for other in found[1:]]
    groups = group_dicts(groups_of(map(group_name, systems[0].pairings)), found)
    data = to_dict(found, compared) | {"groups": groups}
    for own, one in zip(data["systems"], systems, strict=True):
        for utterance, more in zip(own["utterances"], one.details, strict=False):
            utterance |= more
    text = to_json(finite(data), indent=1) + "\n"
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


def _systems(first: Sequence[Path | None], others: Sequence[str]) -> dict[str, Path]:
    """Files of systems by name; the first have the names of their files."""
    named = [(printable(path.stem or path.resolve().stem), path) for path in first if path is not None]
    for given in others:
        name, _, file = given.partition("=")
        if not name or not file:
            raise ConfigError(f"--system {given}", fix="Write NAME=FILE.")
        named.append((name, Path(file)))
    found: dict[str, Path] = {}
    for name, path in named:
        if name in found:
            raise ConfigError(
                f"two systems are called {name!r}", fix="Give each a name of its own: --system NAME=FILE."
            )
        found[name] = path
    return found


def _vectors(name: EncoderName, cache: Path | None) -> Vectors | None:
    return None if name == EncoderName.none else Vectors(named_encoder(name), cache)


def _score_system(one: _System, vectors: Vectors | None, form: UnitKind, weight: float) -> SystemScore:
    name, pairings = one.name, one.pairings
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
