"""Word lexicons per language, to prefer texts made of real words over merely plausible spellings.

A character n-gram model, shared by all languages, knows how words are spelled, but not which words exist. A word is
scored when it ends: by its log-probability if it is known, otherwise by a penalty, so that names and rare words can
still be written where the audio is clear.
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
"""Log-probability of a word that scores 0; likelier words score above 0."""
_UNKNOWN = -1
_NUMBER = 1
"""Hash of words with digits, which are neither scored nor penalized."""
APOSTROPHES = "'’"


class WordHash(NamedTuple):
    """Hashes of the current word; 0 means empty."""

    whole: int = 0
    tail: int = 0
    """Hash of the part after an apostrophe: in l'homme, the word homme."""

    def then(self, text: str) -> WordHash:
        """The hashes after more letters."""
        whole, tail = self
        for character in text:
            if whole == _NUMBER or character.isdigit():
                return WordHash(_NUMBER)
            whole = extended(whole, ord(character))
            tail = 0 if character in APOSTROPHES else extended(tail, ord(character))
        return WordHash(whole, tail)


class Lexicon:
    """Words of languages that are written with spaces.

    Args:
        words: ISO 639-3 code -> hashes of words `(n,)` uint64, sorted, and negative log-probabilities in twelfths of
            a nat `(n,)` uint8.
        scale: factor of word log-probabilities relative to an n-gram model's, before the search's weight for both.
        penalty: penalty of an unknown word in nats, before that weight.
    """

    def __init__(
        self, words: Mapping[str, tuple[np.ndarray, np.ndarray]], *, scale: float = 0.5, penalty: float = 10.0
    ) -> None:
        self.scale, self.penalty = scale, penalty
        self.keys = np.concatenate([np.empty(0, np.uint64), *(keys for keys, _ in words.values())])
        """Hashes of all languages, concatenated."""
        self.scores = np.concatenate([np.empty(0, np.uint8), *(scores for _, scores in words.values())])
        ends = np.cumsum([0, *(len(keys) for keys, _ in words.values())]).tolist()
        self.ranges = dict(zip(words, pairwise(ends), strict=True))
        """Range of each language in the concatenated arrays."""
        self.words = {code: (self.keys[a:b], self.scores[a:b]) for code, (a, b) in self.ranges.items()}
        self._views = {code: (memoryview(keys), memoryview(scores)) for code, (keys, scores) in self.words.items()}

    @classmethod
    def train(cls, probabilities: Mapping[str, Mapping[str, float]]) -> Lexicon:
        """Build from word probabilities per language."""
        words = {}
        for code, table in probabilities.items():
            keys = np.array([WordHash().then(word).whole for word in table], np.uint64)
            order = np.argsort(keys)
            words[code] = keys[order], to_steps(np.array(list(table.values())))[order]
        return cls(words)

    def covers(self, languages: Sequence[str]) -> bool:
        """Whether all of these languages, at least one, have word lists."""
        return bool(languages) and all(code in self.words for code in languages)

    def score(self, languages: Sequence[str], word: WordHash) -> float:
        """Score of a word by its most likely language; the part after an apostrophe is used if the whole word is
        unknown."""
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
        """Read the output of `save`.

        Raises:
            ModelError: if the file is not a lexicon.
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
    """Adds word scores to a token language model; a `prefix_beam.LanguageModel`.

    Args:
        tokens: scores each token.
        lexicon: scores each word.
        languages: ISO 639-3 codes that may be spoken.
        pieces: piece of each token; "\\u2581" begins a word.
        known: hashes of additional words that are never penalized.
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
        """The token model's initial state, and an empty word."""
        return self._tokens.start(), WordHash()

    def score(self, state: tuple[Any, WordHash], token: int) -> tuple[tuple[Any, WordHash], float]:
        """The state after `token`, and the log-probability of `token` plus the score of a word completed by it."""
        before, word = state
        following, gain = self._tokens.score(before, token)
        first, *others = self._pieces[token].split(WORD_START)
        word = word.then(first)
        for part in others:  # each part starts a word and completes the one before
            gain += self._word(word)
            word = WordHash().then(part)
        return (following, word), gain

    def finish(self, state: tuple[Any, WordHash]) -> float:
        """Score of the end of the text and of its last word."""
        return self._tokens.finish(state[0]) + self._word(state[1])

    def _word(self, word: WordHash) -> float:
        if word not in self._scores:
            if len(self._scores) > 1 << 14:
                self._scores.clear()
            score = self._lexicon.score(self._languages, word)
            self._scores[word] = max(score, 0.0) if word.whole in self._known else score
        return self._scores[word]
