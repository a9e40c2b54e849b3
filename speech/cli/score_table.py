"""Tables that `speech score` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from speech.metrics.bootstrap import Difference, Interval
from speech.metrics.corpus import SilenceErrors
from speech.metrics.groups import Group, group_rates
from speech.metrics.latency import LATENCIES, LONG
from speech.metrics.speech_quality.figures import (
    DISTILL_MOS,
    DNS_MOS,
    LONGEST_PAUSE,
    PAUSE_SHARE,
    PAUSES,
    REPEATS,
    SIMILARITY,
    SKIPS,
    SYMBOLS_PER_S,
    WORDS_PER_S,
)
from speech.metrics.systems import ALWAYS, LANGUAGE_ERROR, SAER, SystemScore
from speech.metrics.translation import BLEU, CHRF
from speech.metrics.utterance import Pairing

HEADINGS = {
    "wer": "WER",
    "cer": "CER",
    "mer": "MER",
    "pier": "PIER",
    "switch": "at switches",
    SAER: "SAER",
    BLEU: "BLEU",
    CHRF: "chrF",
    **{name: f"{name.upper()} (s)" for name in LATENCIES},
    LONG: "LongYAAL (s)",
    LANGUAGE_ERROR: "languages of words",
    SKIPS: "skips per text",
    REPEATS: "repeats per text",
    WORDS_PER_S: "words/s",
    SYMBOLS_PER_S: "symbols/s",
    PAUSES: "pauses per text",
    PAUSE_SHARE: "share of pauses",
    LONGEST_PAUSE: "longest pause (s)",
    SIMILARITY: "voice similarity",
    DISTILL_MOS: "DistillMOS",
    DNS_MOS: "DNSMOS",
}
"""Figure name -> table heading, in table order."""
IN_SILENCE = "inserted where nothing was said"
_IN_GROUPS = (
    "wer",
    "cer",
    "mer",
    "pier",
    SAER,
    BLEU,
    "laal",
    SKIPS,
    REPEATS,
    WORDS_PER_S,
    SIMILARITY,
    DISTILL_MOS,
    DNS_MOS,
)
_IN_ROWS = ("mer", SAER, BLEU, CHRF, *LATENCIES, SIMILARITY, DISTILL_MOS, DNS_MOS)
_MOST_BESIDE = 3
_WIDEST = 10_000
_MOST_RUNS = 20
_BESIDE_OTHERS = ("mer", SAER, BLEU, SIMILARITY, DISTILL_MOS)


def print_systems(
    console: Console, systems: Sequence[SystemScore], compared: Sequence[Mapping[str, Difference]]
) -> None:
    """Print a table that compares the systems.

    Args:
        compared: differences between each other system and the first.
    """
    counted = systems[0].total
    tables = [_beside(systems, compared)]
    if len(systems) > _MOST_BESIDE:
        tables += [_below(systems, tuple(HEADINGS)), _below(systems, _IN_ROWS)]
    console.print(next((table for table in tables if _fits(console, table)), tables[-1]))
    if counted.points.points.reference_length and counted.points.skipped:
        console.print(f"PIER leaves out {counted.points.skipped} utterances: no point of interest, or nothing else")
    for system in systems:
        untimed = _untimed(system)
        if untimed:
            console.print(
                f"{system.name}: latency leaves out {untimed} utterances: no time of each word, or no duration"
            )
    console.print(systems[0].signature, soft_wrap=True)


def _beside(systems: Sequence[SystemScore], compared: Sequence[Mapping[str, Difference]]) -> Table:
    """A column for each system."""
    counted = systems[0].total
    table = Table(title=f"{counted.utterances} utterances; 95 % confidence", title_justify="left")
    table.add_column("")
    for system in systems:
        table.add_column(system.name, justify="right")
        if system is not systems[0]:
            table.add_column("p", justify="right")
    for name, heading in HEADINGS.items():
        cells = [_sure(system.intervals.get(name), name) for system in systems]
        if any(cells) or name in ALWAYS:
            table.add_row(heading, *_with_p([cell or "-" for cell in cells], compared, name))
    if counted.attributed.words:
        rates = [f"{system.total.attributed.rate:.3f}" for system in systems]
        table.add_row(HEADINGS[LANGUAGE_ERROR], *_between(rates))
    if any(system.total.silence.words for system in systems):
        table.add_row(IN_SILENCE, *_between([_silence(system.total.silence) for system in systems]))
    return table


def _fits(console: Console, table: Table) -> bool:
    return Measurement.get(console, console.options.update(width=_WIDEST), table).maximum <= console.width


def _below(systems: Sequence[SystemScore], wanted: Sequence[str]) -> Table:
    """A row for each system, if they are too many for columns: values alone."""
    names = [name for name in HEADINGS if name in wanted and any(name in system.intervals for system in systems)]
    title = f"{systems[0].total.utterances} utterances; latency in s; confidence and p are in --json and --html"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for name in names:
        table.add_column(HEADINGS[name].removesuffix(" (s)"), justify="right", no_wrap=True)
    for system in systems:
        values = [system.intervals.get(name) for name in names]
        cells = [_number(one.value, name) if one else "-" for one, name in zip(values, names, strict=True)]
        table.add_row(system.name, *cells)
    return table


def print_groups(console: Console, groups: Sequence[Group], systems: Sequence[SystemScore]) -> None:
    """Print a row for each language or pair of languages, if there are several."""
    if len(groups) < 2:
        return
    wanted = _IN_GROUPS if len(systems) == 1 else _BESIDE_OTHERS
    names = [name for name in wanted if any(name in system.intervals for system in systems)]
    table = Table()
    table.add_column("languages")
    table.add_column("utterances", justify="right")
    for name in names:
        for system in systems:
            table.add_column(
                HEADINGS[name] if len(systems) == 1 else f"{HEADINGS[name]}\n{system.name}", justify="right"
            )
    for group in groups:
        rates = [group_rates(system, group) for system in systems]
        cells = [_number(one[name], name) if name in one else "-" for name in names for one in rates]
        table.add_row(group.name, str(len(group.places)), *cells)
    console.print(table)


def print_runs(
    console: Console, name: str, pairings: Sequence[Pairing], details: Sequence[Mapping[str, Sequence[str]]]
) -> None:
    """Name what a system that speaks has skipped or repeated: a line for each, at most 20.

    Args:
        details: of each pairing: `skipped` and `repeated`.
    """
    lines = [
        f"{name}: {pairing.id}: {what} {text!r}"
        for pairing, one in zip(pairings, details, strict=False)
        for what in ("skipped", "repeated")
        for text in one[what]
    ]
    for line in lines[:_MOST_RUNS]:
        console.print(line)
    if len(lines) > _MOST_RUNS:
        console.print(f"{name}: {len(lines) - _MOST_RUNS} more are in --json")


def _untimed(system: SystemScore) -> int:
    latency = system.figures.get("dal")
    return sum(value is None for value in latency.each) if latency else 0


def _sure(one: Interval | None, name: str) -> str:
    return f"{_number(one.value, name)} [{_number(one.low, name)}, {_number(one.high, name)}]" if one else ""


def _number(value: float, name: str) -> str:
    return f"{value:.1f}" if name in (BLEU, CHRF) else f"{value:.3f}"


def _with_p(cells: Sequence[str], compared: Sequence[Mapping[str, Difference]], name: str) -> list[str]:
    return _between(cells, [f"{found[name].p:.3f}" if name in found else "" for found in compared])


def _between(cells: Sequence[str], p: Sequence[str] = ()) -> list[str]:
    """Interleave the cells of the systems with p-values; the first system has none."""
    return [cells[0], *[part for n, cell in enumerate(cells[1:]) for part in (cell, p[n] if p else "")]]


def _silence(found: SilenceErrors) -> str:
    words, letters = (f"{n} {noun}{'' if n == 1 else 's'}" for n, noun in (
        (found.words, "word"), (found.characters, "letter")))  # fmt: skip
    return f"{words} ({letters})"
