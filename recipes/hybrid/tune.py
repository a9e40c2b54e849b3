"""Tunes on dev the weight of CTC beside a label decoder, and the languages in which CTC is used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from speech.audio.input.files import load_audio
from speech.data.manifest import Utterance
from speech.decode.label.joint import Candidate, JointConfig, best
from speech.errors import DataError
from speech.metrics.edit.alignment import ErrorCounts
from speech.metrics.edit.error_rate import text_errors
from speech.recognize.full_context import FullContextPass
from speech.recognize.request import Request

WEIGHTS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
_NEARLY = 1.1
"""Tolerated ratio of errors to the minimum: the smallest weight within it is chosen, because dev shares speakers with
the training data of CTC."""
_CLEARLY, _LEAST = 0.1, 3
"""Minimum share and number of a language's errors that its own weight must save."""
_LEAST_UNITS = 30
"""Minimum number of units (words or characters) of a language; with fewer, CTC is not used, as the result is chance."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Candidate texts of an utterance, each with its errors."""

    language: str
    candidates: tuple[Candidate, ...]
    errors: tuple[ErrorCounts, ...]
    silence: ErrorCounts
    """Errors of an empty text."""

    def error(self, weight: float) -> ErrorCounts:
        """Errors of the best candidate at a CTC weight; with weight 0, only of the decoder's candidates."""
        if not self.candidates:
            return self.silence
        own = [one for one in self.candidates if weight or not one.by_ctc] or self.candidates
        return self.errors[self.candidates.index(best(own, weight)[0])]


def trials(
    second_pass: FullContextPass,
    utterances: Iterable[Utterance],
    progress: Callable[[Iterable[Utterance]], Iterable[Utterance]] = iter,
) -> Iterator[Trial]:
    """Candidates of both models for utterances in languages that both support; each must fit into one part."""
    label = second_pass.label
    assert label is not None
    known = second_pass.tokenizer.vocabulary.languages
    for utterance in progress(utterances):
        code = utterance.language
        if not label.knows(code) or code not in known or not utterance.text.strip():
            continue
        samples, request = load_audio(utterance.audio), Request((code,))
        if not label.hears(samples, request):
            continue
        judged = second_pass.judge(samples, request)
        part = label.listen(samples)
        found = label.candidates(part, code, judged, own=True)
        texts = [*(one.text for one in found), ""]
        *errors, silence = (text_errors(utterance.text, text, utterance.languages).words for text in texts)
        yield Trial(code, tuple(found), tuple(errors), silence)


def choose(found: Sequence[Trial], config: JointConfig) -> tuple[JointConfig, dict[str, Any]]:
    """Choose the joint configuration with the fewest errors; also return the table of error rates.

    Raises:
        DataError: if there are no trials.
    """
    if not found:
        raise DataError("dev has no utterance in a language that both know")
    by_language: dict[str, list[Trial]] = defaultdict(list)
    for trial in found:
        by_language[trial.language].append(trial)
    table = {
        code: {weight: sum((t.error(weight) for t in own), ErrorCounts()) for weight in (0.0, *WEIGHTS)}
        for code, own in by_language.items()
    }
    enough = [code for code, own in by_language.items() if sum(t.silence.errors for t in own) >= _LEAST_UNITS]

    def total(weight: float) -> int:
        return sum(min(table[code][weight].errors, table[code][0.0].errors) for code in enough)

    fewest = min(map(total, WEIGHTS))
    weight = next(w for w in WEIGHTS if total(w) <= fewest * _NEARLY)
    learnt = sorted(code for code in enough if table[code][weight].errors < table[code][0.0].errors)
    record = {
        code: {
            "units": sum(t.silence.errors for t in by_language[code]),
            **{f"{w:g}": round(e.rate, 4) for w, e in row.items()},
        }
        for code, row in sorted(table.items())
    }
    weights: dict[str, float] = {}
    for code in learnt:
        row = table[code]
        best = min(WEIGHTS, key=lambda w: row[w].errors)
        if row[weight].errors - row[best].errors >= max(_CLEARLY * row[weight].errors, _LEAST):
            weights[code] = best
    return replace(config, ctc_weight=weight, learnt=learnt, ctc_weights=weights), record
