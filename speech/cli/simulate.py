"""Live translation of the audio of a reference on a virtual clock, for `speech score --simulate`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from speech.audio.input.files import load_audio
from speech.choices import PolicyName
from speech.cli.console import stderr
from speech.cli.pairings import recordings_of
from speech.cli.progress import progress
from speech.data.manifest import read_manifest
from speech.data.texts import Text, text_of_stream
from speech.errors import ConfigError, DataError
from speech.recognize.request import Request
from speech.recognizer import Recognizer
from speech.stream.engine import Engine
from speech.stream.options import StreamOptions, TranslationOptions
from speech.stream.policies import POLICY_SETTINGS, translation_options
from speech.stream.virtual_clock import run_session


@dataclass(frozen=True, slots=True)
class Simulation:
    """A simulation of each setting over all audio of a reference."""

    model: str
    device: str
    to: str
    """ISO 639-3."""
    settings: Mapping[str, TranslationOptions | None]
    """By name; None: complete parts."""
    computation_aware: bool


@dataclass(frozen=True, slots=True)
class _Source:
    id: str
    audio: Path
    languages: tuple[str, ...]


def policy_settings(
    policies: str | None, latencies_ms: str | None, counts: str | None, thresholds: str | None, *, append: bool
) -> dict[str, TranslationOptions | None]:
    """Every combination of policies with those of the settings that they have, by name, such as "align_att 800 ms".

    Args:
        policies: names separated by commas; None: complete.
        latencies_ms: whole numbers separated by commas; None: the default of each policy.
        counts: `n` of policies that have it, separated by commas; None: the default of each.
        thresholds: of emma, separated by commas; None: its default.
        append: see `TranslationOptions`.

    Raises:
        ConfigError: if a policy is unknown, a value is no number or out of range, or no policy has it.
    """
    chosen = [_policy(name) for name in _listed(policies or PolicyName.complete)]
    given: dict[str, Sequence[Any]] = {
        "latency_ms": _numbers("--latency-ms", latencies_ms, int),
        "n": _numbers("--n", counts, int),
        "threshold": _numbers("--threshold", thresholds, float),
    }
    for name, values in given.items():
        if values != [None] and not any(name in POLICY_SETTINGS[policy] for policy in chosen):
            option = f"--{name.replace('_', '-')}"
            raise ConfigError(f"{option} is no option of {', '.join(chosen)}", fix="Leave it out, or add a policy.")
    found: dict[str, TranslationOptions | None] = {}
    for policy in chosen:
        own = (given[name] if name in POLICY_SETTINGS[policy] else [None] for name in given)
        for latency_ms, n, threshold in product(*own):
            shown = ((latency_ms, f"{latency_ms} ms"), (n, f"n={n}"), (threshold, f"threshold={threshold}"))
            name = " ".join([policy, *(text for value, text in shown if value is not None)])
            found[name] = translation_options(policy, latency_ms=latency_ms, n=n, threshold=threshold, append=append)
    return found


def simulate(
    reference: Path, wanted: Mapping[str, Text], simulation: Simulation
) -> Iterator[tuple[str, dict[str, Text]]]:
    """Yield the name and the translations of each setting as soon as all audio has been translated with it.

    Args:
        reference: manifest with the audio.
        wanted: the references that it has; of segments of a recording, the whole recording is translated.

    Raises:
        DataError: if the manifest is invalid.
        AudioError: if audio cannot be read.
        LanguageError, ConfigError: if the model lacks a language, or does not translate into the target.
    """
    sources = _sources(reference, wanted)
    recognizer = Recognizer.from_pretrained(simulation.model, device=simulation.device)
    for languages in dict.fromkeys(source.languages for source in sources):
        recognizer.check(Request(languages, simulation.to))
    engine = recognizer.engine()
    for options in simulation.settings.values():  # what is refused is refused before hours of work
        engine.open(_options(sources[0], simulation.to, options))
    for name, options in simulation.settings.items():
        yield name, _translated(engine, sources, simulation, name, options)


def _translated(
    engine: Engine, sources: Sequence[_Source], simulation: Simulation, name: str, options: TranslationOptions | None
) -> dict[str, Text]:
    found: dict[str, Text] = {}
    audio_s = computed_s = 0.0
    with progress() as bars:
        bar = bars.add_task(name, total=len(sources))
        for source in sources:
            session = run_session(engine, load_audio(source.audio), _options(source, simulation.to, options))
            heard = session.translation(computation_aware=simulation.computation_aware)
            found[source.id] = text_of_stream(source.id, heard)
            audio_s += session.duration_s
            computed_s += session.computed_s
            bars.advance(bar)
    stderr().print(f"{name}: {audio_s:.1f} s of audio in {computed_s:.1f} s")
    return found


def _options(source: _Source, to: str, options: TranslationOptions | None) -> StreamOptions:
    return StreamOptions(languages=source.languages, targets=(to,), interim=False, translation=options)


def _sources(reference: Path, wanted: Mapping[str, Text]) -> list[_Source]:
    """The audio of each reference, or of each recording that references are segments of."""
    utterances = {one.id: one for one in read_manifest(reference, check_files=True)}
    recordings = recordings_of(wanted)
    if not recordings:
        return [_Source(key, utterances[key].audio, utterances[key].languages) for key in wanted]
    found = []
    for name, segments in recordings.items():
        own = [utterances[one.id] for one in segments]
        files = dict.fromkeys(one.audio for one in own)
        if len(files) > 1:
            fault = f"the segments of {name!r} name {len(files)} audio files"
            raise DataError(fault, where=str(reference), fix="Each names the file of the whole recording.")
        languages = dict.fromkeys(code for one in own for code in one.languages)
        found.append(_Source(name, own[0].audio, tuple(languages)))
    return found


def _listed(given: str) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in given.split(",")))


def _policy(name: str) -> PolicyName:
    try:
        return PolicyName(name)
    except ValueError as error:
        raise ConfigError(f"--policy {name}", fix=f"Policies are {', '.join(PolicyName)}.") from error


def _numbers[T: (int, float)](option: str, given: str | None, number: type[T]) -> Sequence[T | None]:
    if given is None:
        return [None]
    try:
        return [number(value) for value in _listed(given)]
    except ValueError as error:
        kind = "whole numbers" if number is int else "numbers"
        raise ConfigError(f"{option} {given}", fix=f"Write {kind}, separated by commas.") from error
