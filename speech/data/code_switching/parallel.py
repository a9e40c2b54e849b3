"""Parallel utterances of a corpus, and their word alignment."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from rapidfuzz.distance import Levenshtein

from speech.data.code_switching.judges import RuleJudge, function_words, names
from speech.data.code_switching.mixture import SentencePair, words_of
from speech.data.code_switching.word_alignment import TranslationTable
from speech.data.manifest import Utterance

_LONGEST = 25
_ALIKE = 0.7
_SHORTEST_COGNATE = 4

Languages = tuple[str, str]
Texts = set[tuple[str, str]]


def parallel_pairs(utterances: Iterable[Utterance]) -> dict[Languages, list[tuple[Utterance, Utterance]]]:
    """Pairs of utterances with equal `parallel_id` by (sorted) languages, ordered by a hash of their ids.

    Utterances of one word are left out, as they have no switch point.
    """
    groups: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        if utterance.parallel_id is not None and len(words_of(utterance.text, utterance.language)) > 1:
            groups[utterance.parallel_id].append(utterance)
    found: dict[Languages, list[tuple[Utterance, Utterance]]] = defaultdict(list)
    for group in groups.values():
        for one, other in combinations(sorted(group, key=lambda u: (u.language, u.id)), 2):
            if one.language != other.language:
                found[one.language, other.language].append((one, other))
    return {key: sorted(found[key], key=lambda pair: _hash(*[u.id for u in pair])) for key in sorted(found)}


def parallel_texts(utterances: Iterable[Utterance], languages: Languages) -> Texts:
    """All parallel texts in two languages, from parallel utterances and from translations."""
    texts: Texts = set()
    spoken: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for utterance in utterances:
        both = {**utterance.translations, utterance.language: utterance.text}
        if languages[0] in both and languages[1] in both:
            texts.add((both[languages[0]], both[languages[1]]))
        if utterance.parallel_id is not None and utterance.language in languages:
            spoken[utterance.parallel_id][utterance.language].add(utterance.text)
    for said in spoken.values():
        texts |= {(one, other) for one in said[languages[0]] for other in said[languages[1]]}
    return texts


class Bitext:
    """Translation lexicon and rule-based judge, estimated from parallel texts.

    Args:
        texts: parallel texts.
        languages: ISO 639-3 codes of their two sides.
    """

    def __init__(self, texts: Texts, languages: Languages) -> None:
        self.languages = languages
        sentences = [self._words(pair) for pair in sorted(texts)]
        short = [pair for pair in sentences if all(0 < len(side) <= _LONGEST for side in pair)]
        self.lexicon = TranslationTable.fit([*short, *_cognates(short)])
        words = {code: function_words(pair[side] for pair in short) for side, code in enumerate(languages)}
        self.judges = RuleJudge(words, names(texts))

    def parallel(self, one: str, other: str) -> SentencePair:
        """Align two parallel texts."""
        words = self._words((one, other))
        return SentencePair(self.languages, words, self.lexicon.links(*words))

    def _words(self, texts: tuple[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return words_of(texts[0], self.languages[0]), words_of(texts[1], self.languages[1])


def _cognates(pairs: Sequence[tuple[tuple[str, ...], tuple[str, ...]]]) -> Iterator[tuple[list[str], list[str]]]:
    """Yield cognates, i.e. words of similar spelling, as sentence pairs of one word (Kondrak et al. 2003)."""
    for one, other in pairs:
        for word in one:
            alike = [
                o
                for o in other
                if len(word) >= _SHORTEST_COGNATE and Levenshtein.normalized_similarity(word, o) >= _ALIKE
            ]
            if len(alike) == 1:
                yield [word], alike


def _hash(*ids: str) -> bytes:
    return hashlib.sha256("\0".join(ids).encode()).digest()
