"""Determines the spoken languages from the language evidence of frames."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from speech.decode.words.language_id import posterior_among, top
from speech.errors import LanguageError
from speech.recognize.request import Request

POSSIBLE = 0.1
"""Minimum probability for words of a language to be expected in a part."""
_STRETCH = 50
"""Window in frames for detecting other languages within a part."""
_CLEAR = 0.7
"""Minimum probability in a window for its language to count."""


def expected(evidence: Tensor, asked: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Languages to expect in a part: possible overall, or clear in some window; `evidence (T, languages)` are
    log-posteriors."""
    likely = posterior_among(evidence.sum(dim=0) / max(len(evidence), 1), known, asked) >= POSSIBLE
    for start in range(0, len(evidence) - _STRETCH + 1, _STRETCH // 2):
        part = evidence[start : start + _STRETCH].mean(dim=0)
        likely |= posterior_among(part, known, asked) >= _CLEAR
    return tuple(code for code, there in zip(known, likely.tolist(), strict=True) if there)


def written_in(evidence: Tensor | None, request: Request, known: Sequence[str]) -> tuple[str, ...]:
    """Languages that the words may be in, from evidence `(T, languages)`; empty if unknown."""
    if request.to is not None:
        return (request.to,)
    if len(request.languages) == 1:
        return request.languages
    return () if evidence is None else expected(evidence, request.languages, known)


def language_of(evidence: Tensor | None, frames: int, request: Request, known: Sequence[str]) -> tuple[str, float]:
    """The spoken language, among those requested, and its probability.

    Args:
        evidence: sum of the frames' log-posteriors `(languages,)`; None if the model does not identify languages.
        frames: number of frames in the sum.
        request: with the requested languages.
        known: ISO 639-3 codes of the languages of the evidence.

    Raises:
        LanguageError: if no language is named and the model does not identify languages.
    """
    if len(request.languages) == 1:
        return request.languages[0], 1.0
    if request.languages and set(request.languages).isdisjoint(known):
        return request.languages[0], 0.0  # CTC cannot identify these; a label decoder may
    if evidence is None:
        raise LanguageError("this model does not identify languages", fix="Name the language.")
    return top(posterior_among(evidence / max(frames, 1), known, request.languages), known)
