"""Comparison of several systems on one corpus."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from speech.metrics.bootstrap import (
    Difference,
    Figure,
    Interval,
    differences,
    figure_difference,
    figure_interval,
    ratios,
)
from speech.metrics.corpus import RATES, SIGNATURE, CorpusScore, intervals, rate_columns, total
from speech.metrics.meaning.saer import SaerResult
from speech.metrics.utterance import UtteranceScore

SAER = "saer"
LANGUAGE_ERROR = "language_error"
ALWAYS = ("wer", "cer", "mer")
"""Rates that are listed even without a value, e.g. if no reference has a word."""


@dataclass(frozen=True, slots=True)
class SystemScore:
    """Scores of one system."""

    name: str
    scores: Sequence[UtteranceScore]
    total: CorpusScore
    intervals: Mapping[str, Interval]
    """Confidence interval of each figure that has units; keys are names of `RATES`, `saer`, and those of `figures`."""
    saer: SaerResult | None
    figures: Mapping[str, Figure] = field(default_factory=dict)
    """Further figures by name: BLEU, chrF, latencies."""

    @property
    def signature(self) -> str:
        """Results are comparable only if their signatures are equal."""
        others = dict.fromkeys(figure.signature for figure in self.figures.values() if figure.signature)
        return " ".join([SIGNATURE, *([self.saer.signature] if self.saer else []), *others])


def score_system(name: str, scores: Sequence[UtteranceScore], saer: SaerResult | None = None) -> SystemScore:
    """Compute the sums and confidence intervals of a system.

    Args:
        saer: SAER of the same utterances.
    """
    sure = intervals(scores)
    if saer is not None:
        values = np.array([one.saer for one in saer.scores])[:, None]
        (mean,) = ratios(values, np.ones_like(values))
        if mean is not None:
            sure[SAER] = mean
    return SystemScore(name, scores, total(scores), sure, saer)


def with_figures(system: SystemScore, figures: Mapping[str, Figure]) -> SystemScore:
    """Copy of a system with further figures of the same utterances."""
    sure = {name: found for name, figure in figures.items() if (found := figure_interval(figure)) is not None}
    return dataclasses.replace(system, figures={**system.figures, **figures}, intervals={**system.intervals, **sure})


def compare(first: SystemScore, other: SystemScore) -> dict[str, Difference]:
    """Differences (`other` minus `first`) of all figures that both have, on the same utterances."""
    (errors, lengths), (others, _) = rate_columns(first.scores), rate_columns(other.scores)
    names = list(RATES)
    if first.saer is not None and other.saer is not None:
        values = [np.array([one.saer for one in result.scores])[:, None] for result in (first.saer, other.saer)]
        names.append(SAER)
        errors, others = (np.hstack(pair) for pair in zip((errors, others), values, strict=True))
        lengths = np.hstack([lengths, np.ones((len(lengths), 1))])
    compared = zip(names, differences(errors, others, lengths), strict=True)
    found = {name: one for name, one in compared if one is not None}
    for name in first.figures.keys() & other.figures.keys():
        one = figure_difference(first.figures[name], other.figures[name])
        if one is not None:
            found[name] = one
    return found


def to_dict(systems: Sequence[SystemScore], compared: Sequence[Mapping[str, Difference]]) -> dict[str, Any]:
    """The systems as plain data for JSON.

    Args:
        compared: differences between each other system and the first.
    """
    against = [{}, *[{name: dataclasses.asdict(one) for name, one in found.items()} for found in compared]]
    return {
        "signature": systems[0].signature,
        "systems": [
            {
                "name": system.name,
                "total": dataclasses.asdict(system.total),
                "rates": dict.fromkeys(ALWAYS)
                | {name: dataclasses.asdict(one) for name, one in system.intervals.items()},
                "language_error": system.total.attributed.rate,
                "against_first": found,
                "utterances": _utterances(system),
            }
            for system, found in zip(systems, against, strict=True)
        ],
    }


def finite(data: Any) -> Any:
    """Copy of plain data with non-finite numbers, which JSON lacks, replaced by None."""
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, dict):
        return {key: finite(value) for key, value in data.items()}
    return [finite(value) for value in data] if isinstance(data, list | tuple) else data


def _utterances(system: SystemScore) -> list[dict[str, Any]]:
    meanings = system.saer.scores if system.saer else [None] * len(system.scores)
    return [
        {
            "id": one.id,
            **{
                name: {"errors": counts(one).errors, "units": counts(one).reference_length}
                for name, counts in RATES.items()
            },
            "code_mixing_index": round(one.mixing, 4),
            **({"distance": round(meaning.distance, 4), "saer": round(meaning.saer, 4)} if meaning else {}),
            **{
                name: round(value, 4)
                for name, figure in system.figures.items()
                if (value := figure.each[place]) is not None
            },
        }
        for place, (one, meaning) in enumerate(zip(system.scores, meanings, strict=True))
    ]
