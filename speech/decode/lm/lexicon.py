"""The words of each language, to prefer texts made of words over texts that only look like the language.

An n-gram model of characters knows how words are spelled, not which exist; it is one for all languages, too. Words
are scored when they end: in log-probabilities if they are known, a penalty if they are not, so that names and rare
words can still be written where the audio is clear.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

from speech.decode.ctc.prefix_beam import LanguageModel
from speech.decode.lm.ngram import STEPS_PER_NAT, extended, place_of, to_steps
from speech.errors import ModelError
from speech.files import replacing
from speech.text.vocabulary import WORD_START

USUAL = -8.0
"""A word of this log-probability neither gains nor costs; likelier ones gain."""
_UNKNOWN = -1
_NUMBER = 1
"""Hash of what holds digits, which is neither known nor unknown."""
APOSTROPHES = "'’"


class WordHash(NamedTuple):
    """A word under way, as hashes: 0 is nothing."""

    whole: int = 0
    tail: int = 0
    """Behind an apostrophe: in l'homme, the word is homme."""

    def then(self, text: str) -> WordHash:
        """The word with more letters."""
        whole, tail = self
        for character in text:
            if whole == _NUMBER or character.isdigit():
                return WordHash(_NUMBER)
            whole = extended(whole, ord(character))
            tail = 0 if character in APOSTROPHES else extended(tail, ord(character))
        return WordHash(whole, tail)


class Lexicon:
    """Words of languages that write spaces between them.

    Args:
        words: ISO 639-3 code -> hashes of words `(n,)` uint64, sorted, and negative log-probabilities in twelfths of a
            nat `(n,)` uint8.
        scale: of a word's log-probability, beside that of an n-gram model's; its weight applies to both.
        penalty: in nats before that weight, of what is no word.
    """

    def __init__(
        self, words: Mapping[str, tuple[np.ndarray, np.ndarray]], *, scale: float = 0.5, penalty: float = 10.0
    ) -> None:
        self.scale, self.penalty = scale, penalty
        self.keys = np.concatenate([np.empty(0, np.uint64), *(keys for keys, _ in words.values())])
        """Of all languages, one after the other."""
        self.scores = np.concatenate([np.empty(0, np.uint8), *(scores for _, scores in words.values())])
        ends = np.cumsum([0, *(len(keys) for keys, _ in words.values())]).tolist()
        self.ranges = dict(zip(words, pairwise(ends), strict=True))
        """Where the words of each language are."""
        self.words = {code: (self.keys[a:b], self.scores[a:b]) for code, (a, b) in self.ranges.items()}
        self._views = {code: (memoryview(keys), memoryview(scores)) for code, (keys, scores) in self.words.items()}

    @classmethod
    def train(cls, probabilities: Mapping[str, Mapping[str, float]]) -> Lexicon:
        """From the probability of each word of each language."""
        words = {}
        for code, table in probabilities.items():
            keys = np.array([WordHash().then(word).whole for word in table], np.uint64)
            order = np.argsort(keys)
            words[code] = keys[order], to_steps(np.array(list(table.values())))[order]
        return cls(words)

    def covers(self, languages: Sequence[str]) -> bool:
        """Whether the words of all these languages are known, and there are any."""
        return bool(languages) and all(code in self.words for code in languages)

    def score(self, languages: Sequence[str], word: WordHash) -> float:
        """What a word adds, as the likelier of its languages has it; behind an apostrophe if only that is known."""
        if word.whole in (0, _NUMBER):
            return 0.0
        for key in word:
            steps = [found for code in languages if key and (found := self._find(code, key)) != _UNKNOWN]
            if steps:
                return self.scale * (-min(steps) / STEPS_PER_NAT - USUAL)
        return -self.penalty

    def _find(self, code: str, key: int) -> int:
        keys, scores = self._views[code]
        place = place_of(keys, key)
        return scores[place] if place >= 0 else _UNKNOWN

    def save(self, path: Path) -> None:
        """Write a safetensors file."""
        record = {"use": np.array([self.scale, self.penalty])}
        for code, (keys, scores) in self.words.items():
            record |= {f"keys.{code}": keys, f"scores.{code}": scores}
        with replacing(path) as temporary:
            save_file(record, temporary, metadata={"format": "lexicon"})

    @classmethod
    def load(cls, path: Path) -> Lexicon:
        """Read what `save` wrote.

        Raises:
            ModelError: if it is something else.
        """
        try:
            with safe_open(path, "numpy") as file:
                if (file.metadata() or {}).get("format") != "lexicon":
                    raise ModelError("is not a lexicon", where=str(path))
            record = load_file(path)
            if not all(np.isfinite(values).all() for name, values in record.items() if not name.startswith("keys.")):
                raise ValueError("some of its numbers are not finite")
            scale, penalty = record["use"].tolist()
            codes = [name.removeprefix("keys.") for name in record if name.startswith("keys.")]
            words = {code: (record[f"keys.{code}"], record[f"scores.{code}"]) for code in codes}
            return cls(words, scale=scale, penalty=penalty)
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise ModelError(f"is not a lexicon: {error}", where=str(path)) from error


class LexiconScorer:
    """A language model over tokens, and the words that the tokens make; itself a `prefix_beam.LanguageModel`.

    Args:
        tokens: scores each token.
        lexicon: scores each word.
        languages: ISO 639-3 codes of what may be said.
        pieces: piece of each token; "\\u2581" begins a word.
        known: hashes of words that cost nothing, whether the lexicon has them or not.
    """

    def __init__(
        self,
        tokens: LanguageModel[Any],
        lexicon: Lexicon,
        languages: Sequence[str],
        pieces: Sequence[str],
        known: Collection[int] = (),
    ) -> None:
        self._tokens, self._lexicon, self._known = tokens, lexicon, known
        self._languages, self._pieces = tuple(languages), pieces
        self._scores: dict[WordHash, float] = {}

    def start(self) -> tuple[Any, WordHash]:
        """The state of the token model, and the word under way."""
        return self._tokens.start(), WordHash()

    def score(self, state: tuple[Any, WordHash], token: int) -> tuple[tuple[Any, WordHash], float]:
        """The state after `token`, and the log-probability of `token`, and of a word that ends before it."""
        before, word = state
        following, gain = self._tokens.score(before, token)
        first, *others = self._pieces[token].split(WORD_START)
        word = word.then(first)
        for part in others:  # each begins a word and ends the one before
            gain += self._word(word)
            word = WordHash().then(part)
        return (following, word), gain

    def finish(self, state: tuple[Any, WordHash]) -> float:
        """Log-probability that the text ends here, and of its last word."""
        return self._tokens.finish(state[0]) + self._word(state[1])

    def _word(self, word: WordHash) -> float:
        if word not in self._scores:
            if len(self._scores) > 1 << 14:
                self._scores.clear()
            score = self._lexicon.score(self._languages, word)
            self._scores[word] = max(score, 0.0) if word.whole in self._known else score
        return self._scores[word]
