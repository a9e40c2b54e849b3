"""Figures of spoken texts beside error rates: speaking rate, pauses, skips and repeats, voice, predicted opinions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from speech.metrics.bootstrap import Figure
from speech.metrics.edit.runs import EditRun
from speech.metrics.speech_quality.pauses import Pauses

SKIPS, REPEATS = "skips", "repeats"
WORDS_PER_S, SYMBOLS_PER_S = "words_per_s", "symbols_per_s"
PAUSES, PAUSE_SHARE, LONGEST_PAUSE = "pauses", "pause_share", "longest_pause_s"
SIMILARITY = "similarity"
DISTILL_MOS, DNS_MOS = "distillmos", "dnsmos"


@dataclass(frozen=True, slots=True)
class SpokenMeasures:
    """What was measured of one spoken text."""

    words: int
    """Of the text as it is spoken; in scripts without spaces, characters."""
    symbols: int
    """Its characters without spaces."""
    pauses: Pauses
    skipped: Sequence[EditRun] = ()
    repeated: Sequence[EditRun] = ()
    judged: Mapping[str, float] = field(default_factory=dict)
    """`similarity`, `distillmos`, `dnsmos`, as far as they were asked for and can be said of this text."""


_Sums = Callable[[SpokenMeasures], tuple[float, float] | None]
_SUMS: dict[str, _Sums] = {
    SKIPS: lambda one: (len(one.skipped), 1.0),
    REPEATS: lambda one: (len(one.repeated), 1.0),
    WORDS_PER_S: lambda one: _over(one.words, one.pauses.speaking_s),
    SYMBOLS_PER_S: lambda one: _over(one.symbols, one.pauses.speaking_s),
    PAUSES: lambda one: (len(one.pauses.lengths_s), 1.0),
    PAUSE_SHARE: lambda one: _over(sum(one.pauses.lengths_s), one.pauses.speaking_s),
    LONGEST_PAUSE: lambda one: (one.pauses.longest_s, 1.0),
    SIMILARITY: lambda one: _over(one.judged.get(SIMILARITY), 1.0),
    DISTILL_MOS: lambda one: _over(one.judged.get(DISTILL_MOS), 1.0),
    DNS_MOS: lambda one: _over(one.judged.get(DNS_MOS), 1.0),
}
"""Dividend and divisor of each figure of one text; None where it is not defined."""
SPEECH_FIGURES = tuple(_SUMS)
"""Names of the figures, in the order of tables."""


def speech_figures(
    spoken: Sequence[SpokenMeasures], signature: str, signatures: Mapping[str, str]
) -> dict[str, Figure]:
    """The figures of a corpus: ratios of sums, means where the divisor is one. What no text has is left out.

    Args:
        signature: of the recogniser and of how texts are compared; figures are comparable only if it is equal.
        signatures: of the judges: figure -> name and version.
    """
    found = {}
    for name, sums_of in _SUMS.items():
        sums = [sums_of(one) for one in spoken]
        if any(one is not None for one in sums):
            each = tuple(None if one is None else one[0] / one[1] for one in sums)
            table = np.array([one or (0.0, 0.0) for one in sums])
            found[name] = Figure(table, _ratio, each, signatures.get(name, signature))
    return found


def _over(dividend: float | None, divisor: float) -> tuple[float, float] | None:
    return None if dividend is None or not divisor else (dividend, divisor)


def _ratio(sums: np.ndarray) -> float:
    return float(sums[0] / sums[1]) if sums[1] else 0.0
