"""Semantic-aware error rate (SwitchLingua, arXiv 2506.00087): a weighted mean of error rate and semantic distance.

    SAER(h, r) = w * F(h, r) + (1 - w) * (1 - cos(E(h), E(r)))

F is an error rate, E a sentence encoder, and w = 1/2 by default. If both texts are empty, or equal after normalisation,
SAER is 0; if one is empty, both terms are 1. The distance of meaning lies in [0, 1]; F can exceed 1 with enough
insertions. The SAER of a corpus is the mean over its utterances.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from speech.errors import ConfigError, LanguageError
from speech.metrics.edit.alignment import ErrorCounts
from speech.metrics.edit.error_rate import TextPair
from speech.metrics.meaning.semantic import SemanticEncoder, refuse_unknown
from speech.metrics.meaning.vectors import Vectors
from speech.metrics.utterance import Pairing, UtteranceScore
from speech.text.normalize import NORMALIZER_VERSION
from speech.text.units import UnitKind, is_mixed, resolve_unit_kind


@dataclass(frozen=True, slots=True)
class SaerScore:
    """SAER of one utterance."""

    form: UnitKind
    """`wer`, `cer` or `mer`."""
    counts: ErrorCounts
    form_error: float
    """Error rate F; 1 if exactly one side is empty."""
    distance: float
    """Distance of meaning, 0 to 1."""
    saer: float


@dataclass(frozen=True, slots=True)
class SaerResult:
    """SAER of a corpus."""

    scores: tuple[SaerScore, ...]
    weight: float
    form: UnitKind
    encoder: str

    @property
    def saer(self) -> float:
        """Mean over utterances; 0 for an empty corpus."""
        return _mean([score.saer for score in self.scores])

    @property
    def distance(self) -> float:
        """Mean distance over utterances; 0 for an empty corpus."""
        return _mean([score.distance for score in self.scores])

    @property
    def signature(self) -> str:
        """Values are comparable only if their signatures are equal."""
        return f"saer|weight:{self.weight:g}|form:{self.form}|encoder:{self.encoder}|normalizer:{NORMALIZER_VERSION}"


def saer(
    pairings: Sequence[Pairing],
    vectors: Vectors,
    *,
    scores: Sequence[UtteranceScore] | None = None,
    form: UnitKind = UnitKind.auto,
    weight: float = 0.5,
    progress: Callable[[int, int], None] | None = None,
) -> SaerResult:
    """Score a corpus; each distinct sentence is encoded once.

    Args:
        scores: scores of the same utterances, if available; their alignments are reused.
        weight: w, the weight of the error rate.
        progress: progress of the encoding, as for `Vectors.of`.

    Raises:
        ConfigError: if the weight is not between 0 and 1.
        LanguageError: if the encoder does not support a language or script; raised before anything is encoded.
    """
    if not 0.0 <= weight <= 1.0:
        raise ConfigError(f"weight {weight}", fix="Give the share of the form, from 0 to 1.")
    texts = [TextPair(pairing.reference, pairing.hypothesis, pairing.languages) for pairing in pairings]
    asked = [weight < 1.0 and _differ(one) for one in texts]
    needed_texts = [
        (pairing, text)
        for pairing, sides, needed in zip(pairings, texts, asked, strict=True)
        for text in ((sides.reference, sides.hypothesis) if needed else ())
    ]
    _refuse_unknown(vectors.encoder, needed_texts)
    found = vectors.of((text for _, text in needed_texts), progress)
    results = []
    for place, (pairing, sides, needed) in enumerate(zip(pairings, texts, asked, strict=True)):
        one, other = sides.reference, sides.hypothesis
        distance = semantic_distance(found[one], found[other]) if needed else float(bool(one) != bool(other))
        chosen = resolve_unit_kind(form, one, _first(pairing.languages))
        counts = _errors(sides, chosen, scores[place] if scores is not None else None)
        form_error = counts.rate if counts.reference_length else float(bool(other))
        results.append(SaerScore(chosen, counts, form_error, distance, weight * form_error + (1.0 - weight) * distance))
    return SaerResult(tuple(results), weight, form, vectors.encoder.name)


def semantic_distance(one: np.ndarray, other: np.ndarray) -> float:
    """1 - cosine similarity of two unit vectors, clipped to [0, 1]."""
    return min(max(float(1.0 - np.dot(one, other)), 0.0), 1.0)


def _differ(texts: TextPair) -> bool:
    """Whether both texts are non-empty and differ, so that meanings must be compared."""
    return bool(texts.reference and texts.hypothesis and texts.reference != texts.hypothesis)


def _errors(texts: TextPair, form: UnitKind, score: UtteranceScore | None) -> ErrorCounts:
    if score is not None:
        if form == UnitKind.cer:
            return score.characters
        if form == UnitKind.mer or not (is_mixed(texts.reference) or is_mixed(texts.hypothesis)):
            return score.mixed
    return texts.errors(form)


def _refuse_unknown(encoder: SemanticEncoder, texts: Sequence[tuple[Pairing, str]]) -> None:
    """Check all letters and languages once; on failure, check each text to name the one at fault."""
    letters = set[str]().union(*(text for _, text in texts))
    languages = {language for pairing, _ in texts for language in pairing.languages}
    try:
        refuse_unknown(encoder, "".join(letters), list(languages))
    except LanguageError:
        for pairing, text in texts:
            refuse_unknown(encoder, text, pairing.languages, pairing.id)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0


def _first(languages: Sequence[str]) -> str | None:
    return languages[0] if languages else None
