"""Scores per language and per mixed pair of languages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from speech.metrics.corpus import RATES
from speech.metrics.systems import LANGUAGE_ERROR, SAER, SystemScore
from speech.metrics.utterance import Pairing
from speech.text.languages import LANGUAGES
from speech.text.scripts import script

UNKNOWN = "und"


@dataclass(frozen=True, slots=True)
class Group:
    """Utterances of the same language or combination of languages."""

    name: str
    """Codes joined by `-`, the main language first, e.g. `cmn-eng`; scripts if the languages are unknown."""
    places: tuple[int, ...]
    """Indices of the utterances in the corpus."""

    @property
    def title(self) -> str:
        """Name for display: language names where known, otherwise codes."""
        return ", ".join(LANGUAGES[code].name if code in LANGUAGES else code for code in self.name.split("-"))


def group_name(pairing: Pairing) -> str:
    """Group of an utterance: its languages (ISO 639-3), else the scripts (ISO 15924) of its reference, else `und`."""
    if pairing.languages:
        return "-".join(pairing.languages)
    return "-".join(sorted({written for letter in pairing.reference if (written := script(letter))})) or UNKNOWN


def groups_of(names: Iterable[str]) -> list[Group]:
    """Build groups, sorted by size (largest first), then by name.

    Args:
        names: group name of each utterance.
    """
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place)
    return [Group(name, tuple(places[name])) for name in sorted(places, key=lambda name: (-len(places[name]), name))]


def group_rates(system: SystemScore, group: Group) -> dict[str, float]:
    """A system's figures on a group, without those that have no units; names as in `SystemScore.intervals`."""
    scores = [system.scores[place] for place in group.places]
    found: dict[str, float] = {}
    for name, counts_of in RATES.items():
        counts = [counts_of(one) for one in scores]
        length = sum(one.reference_length for one in counts)
        if length:
            found[name] = sum(one.errors for one in counts) / length
    compared = sum(one.attributed.words for one in scores)
    if compared:
        found[LANGUAGE_ERROR] = sum(one.attributed.errors for one in scores) / compared
    if system.saer is not None:
        found[SAER] = sum(system.saer.scores[place].saer for place in group.places) / len(group.places)
    for name, figure in system.figures.items():
        value = figure.over(group.places)
        if value is not None:
            found[name] = value
    return found


def group_dicts(groups: Sequence[Group], systems: Sequence[SystemScore]) -> list[dict[str, Any]]:
    """Groups and their rates as plain data for JSON."""
    return [
        {
            "name": group.name,
            "utterances": len(group.places),
            "rates": {system.name: _rounded(group_rates(system, group)) for system in systems},
        }
        for group in groups
    ]


def _rounded(rates: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in rates.items()}
