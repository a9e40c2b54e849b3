"""Language mixing: temperature or UniMax weights, and epochs sampled by weight."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from speech.data.manifest import Utterance
from speech.errors import ConfigError, DataError


def hours_per_language(utterances: Sequence[Utterance]) -> dict[str, float]:
    """Hours of audio per language, in order of first appearance."""
    hours: dict[str, float] = defaultdict(float)
    for utterance in utterances:
        hours[utterance.language] += utterance.duration_s / 3600
    return dict(hours)


def temperature(hours: Mapping[str, float], t: float) -> dict[str, float]:
    """Temperature weights p ~ hours^(1/t), which sum to 1; t = 1 keeps the corpus's shares, t -> infinity is uniform.

    Raises:
        ConfigError: if t < 1 or no language has a positive number of hours.
    """
    if t < 1.0:
        raise ConfigError(f"temperature {t}, expected at least 1")
    _check_hours(hours)
    # In logarithms relative to the largest, so that no power under- or overflows.
    largest = max(hours.values())
    powers = {language: math.exp(math.log(h / largest) / t) for language, h in hours.items()}
    return _normalised(powers)


def unimax(hours: Mapping[str, float], budget_hours: float, max_epochs: float) -> dict[str, float]:
    """UniMax weights (Chung et al. 2023, algorithm 1): as uniform as at most `max_epochs` passes per language allow.

    From the smallest language up, each gets an equal share of the remaining budget, but at most `max_epochs` times its
    hours.

    Args:
        hours: language -> hours in the corpus.
        budget_hours: total hours of training.
        max_epochs: maximum number of passes over any language.

    Returns:
        Weights that sum to 1. If the corpus cannot fill the budget, all languages get `max_epochs` passes.

    Raises:
        ConfigError: if a number is not positive.
    """
    if budget_hours <= 0 or max_epochs <= 0:
        raise ConfigError(f"budget {budget_hours} hours, {max_epochs} epochs, expected more than 0")
    _check_hours(hours)
    left = budget_hours
    given: dict[str, float] = {}
    for rank, language in enumerate(sorted(hours, key=lambda code: (hours[code], code))):
        share = left / (len(hours) - rank)
        given[language] = min(share, hours[language] * max_epochs)
        left -= given[language]
    return _normalised({language: given[language] for language in hours})


def epoch_plan(
    utterances: Sequence[Utterance],
    weights: Mapping[str, float],
    total_s: float,
    rng: np.random.Generator,
) -> list[Utterance]:
    """Sample the utterances of one epoch, shuffled; each language fills its share of `total_s` seconds.

    With r = weight * total_s / seconds of the language, each of its utterances occurs floor(r) or ceil(r) times. With
    the corpus's own shares as weights and its own length as `total_s` (temperature 1), every utterance occurs once.

    Args:
        utterances: the corpus.
        weights: language -> share, normalised here; a language without a weight is left out.
        total_s: length of the epoch in seconds.
        rng: draws the order, and the utterances that occur once more than others.

    Raises:
        ConfigError: if a weight is negative or their sum is not positive.
        DataError: if a weighted language has no utterance.
    """
    per_language: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        per_language[utterance.language].append(utterance)
    weights = _normalised(weights)
    plan: list[Utterance] = []
    for language, weight in weights.items():
        if weight == 0.0:
            continue
        if language not in per_language:
            raise DataError(f"weight {weight:.3g} but no utterance", where=f"language {language}")
        plan += _repeated(per_language[language], weight * total_s, rng)
    return [plan[index] for index in rng.permutation(len(plan))]


def _repeated(utterances: list[Utterance], target_s: float, rng: np.random.Generator) -> list[Utterance]:
    """Repeat `utterances` floor(r) or ceil(r) times each, to within half an utterance of `target_s` seconds."""
    corpus_s = math.fsum(utterance.duration_s for utterance in utterances)
    ratio = target_s / corpus_s
    whole = round(ratio) if math.isclose(ratio, round(ratio), rel_tol=1e-9) else math.floor(ratio)
    plan = utterances * whole
    left_s = target_s - whole * corpus_s
    for index in rng.permutation(len(utterances)):
        # Add the next while it brings the sum nearer to the target; the expectation over orders is the target.
        if left_s < utterances[index].duration_s / 2:
            break
        plan.append(utterances[index])
        left_s -= utterances[index].duration_s
    return plan


def _check_hours(hours: Mapping[str, float]) -> None:
    if not hours or min(hours.values()) <= 0:
        raise ConfigError(f"hours per language {dict(hours)}, expected more than 0 of each of at least one language")


def _normalised(weights: Mapping[str, float]) -> dict[str, float]:
    total = math.fsum(weights.values())
    if total <= 0 or min(weights.values()) < 0:
        raise ConfigError(f"weights {dict(weights)}, expected none negative and a positive sum")
    return {language: weight / total for language, weight in weights.items()}
