"""Self-contained HTML report that compares systems, down to the words of each utterance.

The page embeds the styles and scripts of `assets/` and the figures as JSON. The browser inserts texts as text nodes,
never as markup.
"""

from __future__ import annotations

import dataclasses
import html
import json
import mimetypes
import os
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from speech.errors import DataError
from speech.metrics.bootstrap import Difference
from speech.metrics.corpus import RATES
from speech.metrics.edit.alignment import ErrorCounts
from speech.metrics.groups import Group, group_rates
from speech.metrics.report.curve import quality_curve
from speech.metrics.speech_quality.figures import (
    DISTILL_MOS,
    DNS_MOS,
    LONGEST_PAUSE,
    PAUSE_SHARE,
    PAUSES,
    SIMILARITY,
    SYMBOLS_PER_S,
    WORDS_PER_S,
)
from speech.metrics.systems import ALWAYS, LANGUAGE_ERROR, SAER, SystemScore, finite
from speech.metrics.translation import BLEU, CHRF
from speech.metrics.utterance import Pairing, UtteranceScore, points_of_interest

_ASSETS = Path(__file__).with_name("assets")
_SCRIPTS = ("data.js", "tables.js", "charts.js", "list.js")
_OPERATIONS = {"replace": 0, "delete": 1, "insert": 2}
_TOP = {BLEU: 100, CHRF: 100, SIMILARITY: 1, DISTILL_MOS: 5, DNS_MOS: 5}
"""Figures of which more is better -> their largest value."""
_NEUTRAL = frozenset({WORDS_PER_S, SYMBOLS_PER_S, PAUSES, PAUSE_SHARE, LONGEST_PAUSE})
"""Figures of which neither more nor less is better."""
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Report:
    """Contents of the report."""

    name: str
    """Name of the reference."""
    systems: Sequence[SystemScore]
    compared: Sequence[Mapping[str, Difference]]
    """Differences between each other system and the first."""
    groups: Sequence[Group]
    pairings: Sequence[Sequence[Pairing]]
    """Scored pairings of each system, with the original texts."""
    audio: Sequence[str | None]
    """URL of the audio of each utterance, or None."""
    headings: Mapping[str, str]
    """Figure name -> table heading, in table order."""


def audio_link(audio: Path, folder: Path) -> str | None:
    """Relative URL of an audio file from a page in `folder`; None if the file does not exist."""
    return linked_audio(audio, folder) if audio.is_file() else None


def linked_audio(audio: Path, folder: Path) -> str:
    """Relative URL of an audio file from a page in `folder`."""
    return quote(Path(os.path.relpath(audio.resolve(), folder.resolve())).as_posix())


def embedded_audio(audio: Path) -> str:
    """The audio file as a data URL.

    Raises:
        DataError: if it cannot be read.
    """
    kind = mimetypes.guess_type(audio.name)[0] or "audio/wav"
    try:
        return f"data:{kind};base64,{b64encode(audio.read_bytes()).decode()}"
    except OSError as error:
        fault = f"cannot be put into the report: {error.strerror}"
        raise DataError(fault, where=str(audio), fix="Score without --embed-audio, or mend the path.") from error


def render(report: Report) -> str:
    """Render the report as HTML."""
    script = "\n".join(part(name) for name in _SCRIPTS)
    data = json.dumps(finite(report_data(report)), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    digest = b64encode(sha256(f"\n{script}\n".encode()).digest()).decode()
    parts = {
        "policy": f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; media-src * data:",
        "title": html.escape(report.name),
        "curve": _curve(report),
        "style": part("style.css"),
        "data": data.replace("<", "\\u003c"),
        "script": script,
    }
    return filled(part("index.html"), parts)


def filled(template: str, parts: Mapping[str, str]) -> str:
    """A template with `{{name}}` replaced by the part of that name."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)


def _curve(report: Report) -> str:
    """The section with the picture of quality against latency, if several systems have both."""
    picture = quality_curve(report.systems, report.headings)
    return part("curve.html").replace("{{picture}}", picture) if picture else ""


def report_data(report: Report) -> dict[str, Any]:
    """Data of the page as plain JSON types."""
    systems = report.systems
    places = tuple(range(len(report.audio)))
    known = [group_rates(system, Group("", places)) for system in systems]
    names = [name for name in report.headings if name in ALWAYS or any(name in rates for rates in known)]
    where = {place: number for number, group in enumerate(report.groups) for place in group.places}
    return {
        "name": report.name,
        "signature": systems[0].signature,
        "figures": [
            {"name": name, "title": report.headings[name], "higher": None if name in _NEUTRAL else name in _TOP,
             "top": _TOP.get(name), "digits": 1 if _TOP.get(name) == 100 else 3}
            for name in names
        ],
        "systems": [
            {"name": system.name, "rates": [_rate(system, rates, name) for name in names],
             "against": [_against(number, report.compared, name) for name in names],
             "silence": dataclasses.asdict(system.total.silence)}
            for number, (system, rates) in enumerate(zip(systems, known, strict=True))
        ],
        "groups": [
            {"name": group.name, "title": group.title, "count": len(group.places),
             "rates": [[_short(rates.get(name)) for name in names] for rates in
                       (group_rates(system, group) for system in systems)]}
            for group in report.groups
        ],
        "utterances": [_utterance(report, place, where[place], names) for place in places],
    }  # fmt: skip


def _rate(system: SystemScore, rates: Mapping[str, float], name: str) -> list[float] | None:
    """Value and confidence interval; only the value if there is no interval."""
    sure = system.intervals.get(name)
    if sure is not None:
        return [round(value, 6) for value in (sure.value, sure.low, sure.high)]
    return [round(rates[name], 6)] if name in rates else None


def _against(number: int, compared: Sequence[Mapping[str, Difference]], name: str) -> list[float] | None:
    """Difference from the first system, its confidence interval and p-value."""
    found = compared[number - 1].get(name) if number else None
    return [round(value, 6) for value in (found.value, found.low, found.high, found.p)] if found else None


def _utterance(report: Report, place: int, group: int, names: Sequence[str]) -> dict[str, Any]:
    first, pairing, audio = report.systems[0].scores[place], report.pairings[0][place], report.audio[place]
    points = tuple(points_of_interest(pairing, first.languages))
    several = len({language for language in first.languages if language is not None}) > 1
    return {
        "id": first.id,
        "group": group,
        "text": pairing.reference,
        "words": " ".join(first.alignment.reference),
        **({"languages": [language or "" for language in first.languages]} if several else {}),
        **({"points": points} if points else {}),
        **({"audio": audio} if audio else {}),
        "heard": [
            {
                "text": text,
                "words": " ".join(score.alignment.hypothesis),
                "edits": [value for operation, source, target in score.alignment.edits
                          for value in (_OPERATIONS[operation], source, target)],
                "figures": _figures(system, score, place, names),
                **({"distance": _short(system.saer.scores[place].distance)} if system.saer else {}),
                **({"languages": [language or "" for language in score.heard]} if several else {}),
            }
            for system, score, text in (
                (system, system.scores[place], pairings[place].hypothesis)
                for system, pairings in zip(report.systems, report.pairings, strict=True)
            )
        ],
    }  # fmt: skip


def _figures(system: SystemScore, score: UtteranceScore, place: int, names: Sequence[str]) -> list[float | None]:
    """Figures of one utterance, in the order of `names`."""
    found: dict[str, float | None] = {name: _finite(counts_of(score)) for name, counts_of in RATES.items()}
    if score.attributed.words:
        found[LANGUAGE_ERROR] = score.attributed.rate
    if system.saer is not None:
        found[SAER] = system.saer.scores[place].saer
    found |= {name: figure.each[place] for name, figure in system.figures.items()}
    return [_short(found.get(name)) for name in names]


def _finite(counts: ErrorCounts) -> float | None:
    """Error rate; for an empty reference, 1 with insertions and None without."""
    if counts.reference_length:
        return counts.rate
    return 1.0 if counts.insertions else None


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def part(name: str) -> str:
    """A file of `assets/`."""
    return (_ASSETS / name).read_text("utf-8").strip()
