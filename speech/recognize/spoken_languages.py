"""Which languages are spoken, from what frames say of them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from speech.decode.words.language_id import posterior_among, top
from speech.errors import LanguageError
from speech.recognize.request import Request

POSSIBLE = 0.1
"""Probability from which words of a language are expected in a part."""
_STRETCH = 50
"""Frames in which another language than the part's may be clear."""
_CLEAR = 0.7
"""Probability from which it is."""


def expected(evidence: Tensor, asked: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Languages that words may be in: possible in the whole, or clear somewhere; `evidence (T, languages)` are
    log-posteriors."""
    likely = posterior_among(evidence.sum(dim=0) / max(len(evidence), 1), known, asked) >= POSSIBLE
    for start in range(0, len(evidence) - _STRETCH + 1, _STRETCH // 2):
        part = evidence[start : start + _STRETCH].mean(dim=0)
        likely |= posterior_among(part, known, asked) >= _CLEAR
    return tuple(code for code, there in zip(known, likely.tolist(), strict=True) if there)


def written_in(evidence: Tensor | None, request: Request, known: Sequence[str]) -> tuple[str, ...]:
    """Languages that the words of a request may be in, from evidence `(T, languages)`; none if it cannot be told."""
    if request.to is not None:
        return (request.to,)
    if len(request.languages) == 1:
        return request.languages
    return () if evidence is None else expected(evidence, request.languages, known)


def language_of(evidence: Tensor | None, frames: int, request: Request, known: Sequence[str]) -> tuple[str, float]:
    """The language that is spoken, among those asked for, and its probability.

    Args:
        evidence: `(languages,)` sum of the log-posteriors of frames, if the model tells languages.
        frames: that it is the sum of.
        request: with the languages asked for.
        known: ISO 639-3 codes of the languages of the evidence.

    Raises:
        LanguageError: if it is not given, and the model cannot tell.
    """
    if len(request.languages) == 1:
        return request.languages[0], 1.0
    if request.languages and set(request.languages).isdisjoint(known):
        return request.languages[0], 0.0  # a label decoder may tell, CTC cannot
    if evidence is None:
        raise LanguageError("this model does not identify languages", fix="Name the language.")
    return top(posterior_among(evidence / max(frames, 1), known, request.languages), known)
