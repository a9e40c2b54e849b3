"""Figures of parts of a corpus: of each language, and of each pair of languages that speakers mix."""

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
    """Utterances in the same language or languages."""

    name: str
    """Codes with `-` between them, the main language first: `cmn-eng`; scripts where languages are not known."""
    places: tuple[int, ...]
    """Of its utterances in the corpus."""

    @property
    def title(self) -> str:
        """In words, as far as there are any."""
        return ", ".join(LANGUAGES[code].name if code in LANGUAGES else code for code in self.name.split("-"))


def group_name(pairing: Pairing) -> str:
    """Of an utterance: its languages (ISO 639-3), otherwise the scripts (ISO 15924) of its reference, or `und`."""
    if pairing.languages:
        return "-".join(pairing.languages)
    return "-".join(sorted({written for letter in pairing.reference if (written := script(letter))})) or UNKNOWN


def groups_of(names: Iterable[str]) -> list[Group]:
    """The largest first, of equals by name.

    Args:
        names: of each utterance its group.
    """
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place)
    return [Group(name, tuple(places[name])) for name in sorted(places, key=lambda name: (-len(places[name]), name))]


def group_rates(system: SystemScore, group: Group) -> dict[str, float]:
    """The figures of a system that have units in a group; names as in `SystemScore.intervals`."""
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
    """Plain data for JSON."""
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
