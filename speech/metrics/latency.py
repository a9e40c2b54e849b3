"""Latency of streaming output: how far words lag behind the speech.

A delay is the time in seconds from the start of an utterance until a word is emitted; it includes computation if the
clock does. Lag is measured against an ideal policy that spreads `target` words evenly over `source_s` seconds: word n +
1 is due at n * source_s / target. Values are in seconds; 0 is this ideal, and negative values are possible. The
measures differ in the word rate that they assume and in the words that they count. Values equal those of SimulEval and
OmniSTEval (in milliseconds there).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from speech.errors import DataError
from speech.metrics.bootstrap import Figure
from speech.metrics.utterance import Pairing
from speech.text.normalize import plain_text
from speech.text.units import UnitKind, units

LONG = "longyaal"
COMPUTATION_AWARE = "latency|clock:computation-aware"
"""Signature of figures whose delays include the time of computation."""


@dataclass(frozen=True, slots=True)
class Emission:
    """Emission times of the words of one utterance."""

    delays_s: tuple[float, ...]
    """Delay of each word from the start of the utterance."""
    source_s: float
    """Duration of the speech."""
    target: int
    """Number of words in the reference."""
    recording_end_s: float | None = None
    """If the utterance is a segment of a long recording that was heard as a whole: where the recording ends, from the
    start of the segment."""

    def __post_init__(self) -> None:
        times = (*self.delays_s, *(() if self.recording_end_s is None else (self.recording_end_s,)))
        if not all(map(math.isfinite, times)):
            raise DataError("a delay is not a finite number of seconds")
        if not (math.isfinite(self.source_s) and self.source_s >= 0.0) or self.target < 0:
            raise DataError(f"{self.source_s} s of speech and {self.target} words, expected at least 0 of both")


def average_lagging(said: Emission) -> float | None:
    """Average lagging, AL (Ma et al. 2019, arXiv 1810.08398; for speech Ren et al. 2020): mean lag of the words up to
    the first that is emitted after the end of the speech, at the word rate of the reference.

    Over- and undergeneration bias it: too long an output looks early. If the first word comes after the end, the value
    is its delay. None without words or speech, or otherwise without a reference.
    """
    return _until_the_end(said, said.target)


def length_adaptive_average_lagging(said: Emission) -> float | None:
    """Length-adaptive average lagging, LAAL (Papi et al. 2022, arXiv 2206.05807): AL at the word rate of the longer of
    output and reference, so that overgeneration is not rewarded. None without words or speech."""
    return _until_the_end(said, max(said.target, len(said.delays_s)))


def differentiable_average_lagging(said: Emission) -> float | None:
    """Differentiable average lagging, DAL (Cherry and Foster 2019, arXiv 1906.00048): mean lag of all words, where the
    minimum distance between words is the output's mean, so that lost time is not regained. The reference is not used.
    None without words or speech."""
    if not said.delays_s or said.source_s <= 0.0:
        return None
    step = said.source_s / len(said.delays_s)
    total = moved = 0.0
    for place, delay in enumerate(said.delays_s):
        moved = max(delay, moved + step) if place else delay
        total += moved - place * step
    return total / len(said.delays_s)


def yet_another_average_lagging(said: Emission) -> float | None:
    """Yet another average lagging, YAAL (Polak et al. 2025, arXiv 2509.17349): LAAL of the words emitted before the end
    of the speech, because words emitted at the end say nothing about the policy. None without speech or such words, and
    for segments of a recording, after which the speech goes on."""
    return _until(said, said.source_s) if said.recording_end_s is None else None


def long_yet_another_average_lagging(said: Emission) -> float | None:
    """Long-form YAAL, LongYAAL (Polak et al. 2025, arXiv 2509.17349): of a segment of a long recording, LAAL of the
    words emitted before the recording ends; those behind the segment's end count too. None without speech or such
    words, and for utterances that are no segments."""
    return None if said.recording_end_s is None else _until(said, said.recording_end_s)


LATENCIES: dict[str, Callable[[Emission], float | None]] = {
    "al": average_lagging,
    "laal": length_adaptive_average_lagging,
    "dal": differentiable_average_lagging,
    "yaal": yet_another_average_lagging,
    LONG: long_yet_another_average_lagging,
}


def emission(pairing: Pairing) -> Emission | None:
    """Emission of an utterance; None unless the time of each output word and the duration of the speech are known.

    Units are normalised mixed units: words, and single characters of scripts without spaces. All units of a word share
    its delay.
    """
    if pairing.duration_s is None or not pairing.emitted_s:
        return None
    delays: list[float] = []
    for (word, _), delay in zip(pairing.hypothesis_words, pairing.emitted_s, strict=True):
        if delay is None:
            return None
        delays += [delay] * len(units(plain_text(word), UnitKind.mer))
    target = len(units(plain_text(pairing.reference), UnitKind.mer))
    return Emission(tuple(delays), pairing.duration_s, target, pairing.recording_end_s)


def latency_figures(emissions: Sequence[Emission | None], signature: str = "") -> dict[str, Figure]:
    """Mean of each measure over the utterances where it is defined; measures defined nowhere are left out.

    Args:
        signature: of the figures: how the delays were measured.
    """
    found = {}
    for name, measure in LATENCIES.items():
        each = tuple(measure(one) if one is not None else None for one in emissions)
        if any(value is not None for value in each):
            sums = np.array([(0.0, 0.0) if value is None else (value, 1.0) for value in each])
            found[name] = Figure(sums, _mean, each, signature)
    return found


def _until_the_end(said: Emission, length: int) -> float | None:
    delays = said.delays_s
    if not delays or said.source_s <= 0.0:
        return None
    if delays[0] > said.source_s:
        return delays[0]
    counted = delays[: _before(delays, said.source_s) + 1]
    return _mean_lag(counted, said.source_s / length) if length else None


def _until(said: Emission, end_s: float) -> float | None:
    """Mean lag of the words before `end_s`, at the rate of the longer of output and reference."""
    early = _before(said.delays_s, end_s)
    if said.source_s <= 0.0 or not early:
        return None
    return _mean_lag(said.delays_s[:early], said.source_s / max(said.target, len(said.delays_s)))


def _before(delays: Sequence[float], end: float) -> int:
    """Number of words before the first one emitted at or after `end`."""
    return next((place for place, delay in enumerate(delays) if delay >= end), len(delays))


def _mean_lag(delays: Sequence[float], step: float) -> float:
    return sum(delay - place * step for place, delay in enumerate(delays)) / len(delays)


def _mean(sums: np.ndarray) -> float:
    return float(sums[0] / sums[1]) if sums[1] else 0.0
