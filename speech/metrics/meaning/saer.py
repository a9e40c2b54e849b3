"""Semantic-aware error rate (SwitchLingua, arXiv 2506.00087): how wrong the form is, and how wrong the meaning.

    SAER(h, r) = w * F(h, r) + (1 - w) * (1 - cos(E(h), E(r)))

F is an error rate, E a sentence encoder, w = 1/2 unless told otherwise. Two empty texts are 0, one empty text is 1 in
both parts; texts that are equal after normalisation are 0. The distance of meanings lies in [0, 1], F does not: it
exceeds 1 with enough insertions. A corpus has the mean over its utterances.
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
from speech.text.units import Form, form_of, is_mixed


@dataclass(frozen=True, slots=True)
class SaerScore:
    """Of one utterance."""

    form: Form
    """`wer`, `cer` or `mer`."""
    counts: ErrorCounts
    form_error: float
    """F, 1 where one side is empty."""
    distance: float
    """Of meanings, 0 to 1."""
    saer: float


@dataclass(frozen=True, slots=True)
class SaerResult:
    """Of a corpus."""

    scores: tuple[SaerScore, ...]
    weight: float
    form: Form
    encoder: str

    @property
    def saer(self) -> float:
        """Mean over utterances; 0 for none."""
        return _mean([score.saer for score in self.scores])

    @property
    def distance(self) -> float:
        """Mean over utterances; 0 for none."""
        return _mean([score.distance for score in self.scores])

    @property
    def signature(self) -> str:
        """What has to be equal for two values to be comparable."""
        return f"saer|weight:{self.weight:g}|form:{self.form}|encoder:{self.encoder}|normalizer:{NORMALIZER_VERSION}"


def saer(
    pairings: Sequence[Pairing],
    vectors: Vectors,
    *,
    scores: Sequence[UtteranceScore] | None = None,
    form: Form = Form.auto,
    weight: float = 0.5,
    progress: Callable[[int, int], None] | None = None,
) -> SaerResult:
    """Score a corpus; each distinct sentence is encoded once.

    Args:
        scores: of the same utterances, if there are any: what they have aligned is not aligned again.
        weight: w, the share of the form.
        progress: of the encoding, as for `Vectors.of`.

    Raises:
        ConfigError: for a weight outside of 0 to 1.
        LanguageError: if the encoder does not know a language or script, before anything is encoded.
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
        chosen = form_of(form, one, _first(pairing.languages))
        counts = _errors(sides, chosen, scores[place] if scores is not None else None)
        form_error = counts.rate if counts.reference_length else float(bool(other))
        results.append(SaerScore(chosen, counts, form_error, distance, weight * form_error + (1.0 - weight) * distance))
    return SaerResult(tuple(results), weight, form, vectors.encoder.name)


def semantic_distance(one: np.ndarray, other: np.ndarray) -> float:
    """1 - cosine of two vectors of length 1, within 0 and 1."""
    return min(max(float(1.0 - np.dot(one, other)), 0.0), 1.0)


def _differ(texts: TextPair) -> bool:
    """Whether there is a meaning on both sides, and it may be another one."""
    return bool(texts.reference and texts.hypothesis and texts.reference != texts.hypothesis)


def _errors(texts: TextPair, form: Form, score: UtteranceScore | None) -> ErrorCounts:
    if score is not None:
        if form == Form.cer:
            return score.characters
        if form == Form.mer or not (is_mixed(texts.reference) or is_mixed(texts.hypothesis)):
            return score.mixed
    return texts.errors(form)


def _refuse_unknown(encoder: SemanticEncoder, texts: Sequence[tuple[Pairing, str]]) -> None:
    """Each letter and each language of all texts once; what is unknown is then looked for, to be named."""
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
