"""Spoken language identification, combining CTC's language head and the label decoder."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping


def joint_posterior(
    ctc: Mapping[str, float],
    label: Mapping[str, float],
    allowed: Collection[str] = (),
    *,
    weights: tuple[float, float],
    least: tuple[float, float],
) -> dict[str, float]:
    """Combine two language posteriors: the normalised weighted sum of their log-posteriors.

    A language that a model does not know gets that model's floor: a model with few languages is always sure of one
    of them, so it must not exclude the others.

    Args:
        ctc, label: ISO 639-3 code -> log-posterior, for the languages of each model.
        allowed: possible languages; empty: all that either model knows.
        weights: of CTC and of the decoder.
        least: floors for the log-posteriors of CTC and of the decoder.

    Returns:
        ISO 639-3 code -> probability, for the allowed languages that a model knows, CTC's first.
    """
    codes = [code for code in dict.fromkeys((*ctc, *label)) if not allowed or code in allowed]
    if not codes:
        return {}
    judges = [*zip((_among(ctc, codes), _among(label, codes)), weights, least, strict=True)]
    scores = [sum(weight * max(judge.get(code, low), low) for judge, weight, low in judges) for code in codes]
    whole = _log_sum(scores)
    return {code: math.exp(score - whole) for code, score in zip(codes, scores, strict=True)}


def _among(judge: Mapping[str, float], codes: Collection[str]) -> Mapping[str, float]:
    """Renormalise log-posteriors to the given languages if all are known; otherwise return them unchanged, since the
    language may be one of the unknown ones."""
    if not all(code in judge for code in codes):
        return judge
    whole = _log_sum(judge[code] for code in codes)
    return {code: judge[code] - whole for code in codes}


def _log_sum(values: Iterable[float]) -> float:
    found = list(values)
    most = max(found)
    return most + math.log(sum(math.exp(value - most) for value in found))
