"""Rule-based judge of code-switched sentences. Each rule reports what is wrong and where.

There are four aspects, scored 0 to 10 and weighted as in SwitchLingua (arXiv 2506.00087): .30 fluency, .25 naturalness,
.20 share of the embedded language, .25 culture. A sentence is accepted if its total is at least 8 and every aspect at
least 2.
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
    """A fault that a judge finds in a sentence."""

    part: int
    """Index of the part of the sentence; the switch concerned is the one before it."""
    what: str
    points: float
    """Points deducted from the 10 of its aspect."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A judge's scores of a sentence and the faults found."""

    scores: Mapping[str, float]
    """Aspect -> 0 to 10."""
    faults: tuple[Fault, ...]
    """Most serious first."""

    @property
    def total(self) -> float:
        return sum(WEIGHTS[aspect] * score for aspect, score in self.scores.items())

    @property
    def accepted(self) -> bool:
        return self.total >= ACCEPTED and min(self.scores.values()) >= _VETO


class RuleJudge:
    """Judges sentences by rules for the four aspects.

    Args:
        function_words: language (ISO 639-3) -> its function words; see `function_words`.
        names: normalised words of proper names; see `names`.
    """

    def __init__(self, function_words: Mapping[str, frozenset[str]], names: frozenset[str] = frozenset()) -> None:
        self._function_words, self._names = function_words, names

    def judge(self, mixture: Mixture, target_share: float) -> Judgement:
        """Judge a sentence with a target share of embedded words."""
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
        """Faults in the number and place of switches: a function word must stay with its complement (functional head
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
        """Faults: names or numbers split by a switch, and parts that are identical in both languages."""
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
    """Faults: violations of the equivalence constraint, omitted or repeated words, and empty parts."""
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
    """Estimate a language's function words from its sentences: the short ones among the most frequent words."""
    counts = Counter(word for words in sentences for word in words)
    ranked = sorted(counts, key=lambda word: (-counts[word], word))[:_FUNCTION_WORDS]
    return frozenset(word for word in ranked if len(word) <= _LONGEST_FUNCTION_WORD)


def names(texts: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Find proper names: words capitalised inside a sentence in both languages of a pair, in lower case."""
    found: set[str] = set()
    for pair in texts:
        sides = [
            {word.strip(".,;:!?\"'()").lower() for word in text.split()[1:] if word[:1].isupper()} for text in pair
        ]
        found |= sides[0] & sides[1]
    return frozenset(found)
