"""Judges of code-switched sentences: rules, each of which says what is wrong and where.

Four aspects of 0 to 10, weighted as in SwitchLingua (arXiv 2506.00087): .30 fluency, .25 naturalness, .20 share of the
embedded language, .25 culture; a sentence is accepted from 8, unless an aspect has less than 2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from speech.data.code_switching.mixture import Mixture

ACCEPTED = 8.0
_VETO = 2.0
WEIGHTS = {"fluency": 0.30, "naturalness": 0.25, "share": 0.20, "culture": 0.25}
_FUNCTION_WORDS = 60
_LONGEST_FUNCTION_WORD = 4
_WORDS_PER_SWITCH = 2.5
_TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class Fault:
    """What a judge does not like."""

    part: int
    """Which part of the sentence; its switch is the one before it."""
    what: str
    points: float
    """What it costs, of 10 of its aspect."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the judges say of a sentence."""

    scores: Mapping[str, float]
    """Aspect -> 0 to 10."""
    faults: tuple[Fault, ...]
    """The gravest first."""

    @property
    def total(self) -> float:
        return sum(WEIGHTS[aspect] * score for aspect, score in self.scores.items())

    @property
    def accepted(self) -> bool:
        return self.total >= ACCEPTED and min(self.scores.values()) >= _VETO


class RuleJudge:
    """Rules for the four aspects.

    Args:
        function_words: language (ISO 639-3) -> words that say little by themselves; see `function_words`.
        names: plain words that name people and places.
    """

    def __init__(self, function_words: Mapping[str, frozenset[str]], names: frozenset[str] = frozenset()) -> None:
        self._function_words, self._names = function_words, names

    def judge(self, mixture: Mixture, target_share: float) -> Judgement:
        """Judge a sentence that shall have such a share of embedded words."""
        found = {
            "fluency": list(_fluency(mixture)),
            "naturalness": list(self._naturalness(mixture)),
            "share": list(_share(mixture, target_share)),
            "culture": list(self._culture(mixture)),
        }
        scores = {aspect: max(0.0, 10.0 - sum(fault.points for fault in faults)) for aspect, faults in found.items()}
        weighed = sorted(
            (-WEIGHTS[aspect] * fault.points, fault.part, fault.what, fault)
            for aspect in found
            for fault in found[aspect]
        )
        return Judgement(scores, tuple(fault for *_, fault in weighed))

    def _is_function_word(self, word: str, language: str) -> bool:
        return word in self._function_words.get(language, ())

    def _naturalness(self, mixture: Mixture) -> Iterable[Fault]:
        """How often it switches, and around what: a function word goes with what it belongs to (functional head
        constraint, Belazi et al. 1994)."""
        parts, both = mixture.parts, mixture.parallel
        crowded = (len(parts) - 1) - len(mixture.words) / _WORDS_PER_SWITCH
        if crowded > 0:
            yield Fault(min(range(len(parts)), key=lambda n: len(parts[n])), "too many switches", 3.0 * crowded)
        for number, part in enumerate(parts):
            words, language = both.words[part.side][part.first : part.last], both.languages[part.side]
            if all(self._is_function_word(word, language) for word in words):
                yield Fault(number, "function words alone", 5.0)
            elif number < len(parts) - 1 and self._is_function_word(words[-1], language):
                yield Fault(number + 1, "a function word without what it belongs to", 3.0)

    def _culture(self, mixture: Mixture) -> Iterable[Fault]:
        """Names and numbers stay whole, and a part that is the same in both languages is no change of language."""
        both = mixture.parallel
        for number, part in enumerate(mixture.parts):
            words = both.words[part.side][part.first : part.last]
            if all(word in both.words[1 - part.side] for word in words):
                yield Fault(number, "the same in both languages", 9.0)
            before = mixture.parts[number - 1] if number else None
            if not before or not words:
                continue
            left = both.words[before.side][before.last - 1]
            if left in self._names and words[0] in self._names:
                yield Fault(number, "a name cut in two", 6.0)
            if _number(left) and _number(words[0]):
                yield Fault(number, "a number cut in two", 6.0)


def _fluency(mixture: Mixture) -> Iterable[Fault]:
    """The equivalence constraint; nothing is left out and nothing said twice."""
    both, parts = mixture.parallel, mixture.parts
    kept = [{place for part in parts if part.side == side for place in range(part.first, part.last)} for side in (0, 1)]
    for number, (i, j) in enumerate(mixture.points, start=1):
        if any((a < i) != (b < j) for a, b in both.links):
            yield Fault(number, "word orders differ here", 6.0)
        before, after = parts[number - 1], parts[number]
        for side, place in ((before.side, before.last - 1), (after.side, after.first)):
            if not both.linked(side, place):
                yield Fault(number, "a word without a counterpart at the switch", 2.0)
    said = Counter((a in kept[0]) + (b in kept[1]) for a, b in both.links)
    wrong = (said[0] + said[2]) / max(len(both.links), 1)
    if wrong:
        yield Fault(0, "words left out or said twice", 10.0 * wrong)
    if any(len(part) == 0 for part in parts):
        yield Fault(0, "a part without words", 10.0)


def _share(mixture: Mixture, target: float) -> Iterable[Fault]:
    off = abs(mixture.embedded_share - target) - _TOLERANCE
    if off > 0:
        smallest = min(range(len(mixture.parts)), key=lambda n: len(mixture.parts[n]))
        yield Fault(smallest, "too much or too little of the embedded language", 25.0 * off)


def _number(word: str) -> bool:
    return any(letter.isdigit() for letter in word)


def function_words(sentences: Iterable[Sequence[str]]) -> frozenset[str]:
    """Of a language, as its corpus has them: the most frequent short words."""
    counts = Counter(word for words in sentences for word in words)
    ranked = sorted(counts, key=lambda word: (-counts[word], word))[:_FUNCTION_WORDS]
    return frozenset(word for word in ranked if len(word) <= _LONGEST_FUNCTION_WORD)


def names(texts: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Words, plain, that are written with a capital within sentences of both languages of a pair."""
    found: set[str] = set()
    for pair in texts:
        sides = [
            {word.strip(".,;:!?\"'()").lower() for word in text.split()[1:] if word[:1].isupper()} for text in pair
        ]
        found |= sides[0] & sides[1]
    return frozenset(found)
