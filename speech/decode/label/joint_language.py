"""Which language is spoken, by both judges: CTC's language head, which hears frames, and the label decoder."""

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
    """Posterior by both judges: the weighted sum of their log-posteriors, normalised.

    What a judge does not know counts as if it had the least log-posterior that it gives: a judge who knows few
    languages is sure of one of them, whatever is spoken, and so rules out none.

    Args:
        ctc, label: ISO 639-3 code -> log-posterior, of the languages that each judge knows.
        allowed: the languages that it can be; empty: all that either judge knows.
        weights: of CTC and of the decoder.
        least: log-posteriors by CTC and by the decoder of a language that they do not know, or hear less of.

    Returns:
        ISO 639-3 code -> probability, of the languages allowed that a judge knows, CTC's first.
    """
    codes = [code for code in dict.fromkeys((*ctc, *label)) if not allowed or code in allowed]
    if not codes:
        return {}
    judges = [*zip((_among(ctc, codes), _among(label, codes)), weights, least, strict=True)]
    scores = [sum(weight * max(judge.get(code, low), low) for judge, weight, low in judges) for code in codes]
    whole = _log_sum(scores)
    return {code: math.exp(score - whole) for code, score in zip(codes, scores, strict=True)}


def _among(judge: Mapping[str, float], codes: Collection[str]) -> Mapping[str, float]:
    """Log-posteriors where the language is one of those given, if the judge knows them all; otherwise as they are:
    it may be one of those that it does not know."""
    if not all(code in judge for code in codes):
        return judge
    whole = _log_sum(judge[code] for code in codes)
    return {code: judge[code] - whole for code in codes}


def _log_sum(values: Iterable[float]) -> float:
    found = list(values)
    most = max(found)
    return most + math.log(sum(math.exp(value - most) for value in found))
