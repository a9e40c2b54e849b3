"""The words of each language, to prefer texts made of words over texts that only look like the language.

An n-gram model of characters knows how words are spelled, not which exist; it is one for all languages, too. Words
are scored when they end: in log-probabilities if they are known, a penalty if they are not, so that names and rare
words can still be written where the audio is clear.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from speech.decode.prefix_beam import LanguageModel
from speech.decode.token_ngram import extended
from speech.decode.words import WORD_START
from speech.errors import ModelError

_STEPS_PER_NAT = 12.0
_USUAL = -8.0
"""Log-probability of a word that is as likely as it is long: it changes no score."""
_UNKNOWN = -1


def _spelled(text: str, key: int = 0) -> int:
    """A hash of `text` behind what `key` is the hash of; that of nothing is 0."""
    for character in text:
        key = extended(key, ord(character))
    return key


class Lexicon:
    """Words of languages that write spaces between them.

    Args:
        words: ISO 639-3 code -> hashes of words `(n,)` uint64, sorted, and negative log-probabilities in twelfths of a
            nat `(n,)` uint8.
        scale: of a word's log-probability, beside that of an n-gram model's.
        penalty: in nats, of what is no word.
    """

    def __init__(
        self, words: Mapping[str, tuple[np.ndarray, np.ndarray]], *, scale: float = 0.5, penalty: float = 10.0
    ) -> None:
        self.words = dict(words)
        self.scale, self.penalty = scale, penalty
        self._views = {code: (memoryview(keys), memoryview(scores)) for code, (keys, scores) in self.words.items()}

    @classmethod
    def train(cls, probabilities: Mapping[str, Mapping[str, float]]) -> Lexicon:
        """From the probability of each word of each language."""
        words = {}
        for code, table in probabilities.items():
            keys = np.array([_spelled(word) for word in table], np.uint64)
            steps = [round(-math.log(max(p, 1e-12)) * _STEPS_PER_NAT) for p in table.values()]
            order = np.argsort(keys)
            words[code] = keys[order], np.clip(np.array(steps), 0, 255).astype(np.uint8)[order]
        return cls(words)

    def covers(self, languages: Sequence[str]) -> bool:
        """Whether the words of all these languages are known, and there are any."""
        return bool(languages) and all(code in self.words for code in languages)

    def score(self, languages: Sequence[str], key: int) -> float:
        """What a word adds, as the likelier of its languages has it; `key` is 0 where there is none."""
        if key == 0:
            return 0.0
        steps = [found for code in languages if (found := self._find(code, key)) != _UNKNOWN]
        return self.scale * (-min(steps) / _STEPS_PER_NAT - _USUAL) if steps else -self.penalty

    def _find(self, code: str, key: int) -> int:
        keys, scores = self._views[code]
        place = bisect_left(keys, key)
        return scores[place] if place < len(keys) and keys[place] == key else _UNKNOWN

    def save(self, path: Path) -> None:
        """Write a safetensors file."""
        record = {"use": np.array([self.scale, self.penalty])}
        for code, (keys, scores) in self.words.items():
            record |= {f"keys.{code}": keys, f"scores.{code}": scores}
        save_file(record, path, metadata={"format": "lexicon"})
        path.chmod(0o644)

    @classmethod
    def load(cls, path: Path) -> Lexicon:
        """Read what `save` wrote.

        Raises:
            ModelError: if it is something else.
        """
        try:
            record = load_file(path)
            scale, penalty = record["use"].tolist()
            codes = [name.removeprefix("keys.") for name in record if name.startswith("keys.")]
            words = {code: (record[f"keys.{code}"], record[f"scores.{code}"]) for code in codes}
            return cls(words, scale=scale, penalty=penalty)
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise ModelError(f"is not a lexicon: {error}", where=str(path)) from error


class WithWords:
    """A language model over tokens, and the words that the tokens make; itself a `prefix_beam.LanguageModel`.

    Args:
        tokens: scores each token.
        lexicon: scores each word.
        languages: ISO 639-3 codes of what may be said.
        pieces: piece of each token; "\\u2581" begins a word.
    """

    def __init__(
        self, tokens: LanguageModel[Any], lexicon: Lexicon, languages: Sequence[str], pieces: Sequence[str]
    ) -> None:
        self._tokens, self._lexicon = tokens, lexicon
        self._languages, self._pieces = tuple(languages), pieces
        self._known: dict[int, float] = {}

    def start(self) -> tuple[Any, int]:
        """The state of the token model, and the hash of the word under way."""
        return self._tokens.start(), 0

    def score(self, state: tuple[Any, int], token: int) -> tuple[tuple[Any, int], float]:
        """The state after `token`, and the log-probability of `token`, and of a word that ends before it."""
        before, key = state
        following, gain = self._tokens.score(before, token)
        parts = self._pieces[token].split(WORD_START)
        for part in parts[1:]:  # each begins a word and ends the one before
            gain += self._word(_spelled(parts[0], key))
            key, parts[0] = 0, part
        return (following, _spelled(parts[0], key)), gain

    def finish(self, state: tuple[Any, int]) -> float:
        """Log-probability that the text ends here, and of its last word."""
        return self._tokens.finish(state[0]) + self._word(state[1])

    def _word(self, key: int) -> float:
        if key not in self._known:
            if len(self._known) > 1 << 14:
                self._known.clear()
            self._known[key] = self._lexicon.score(self._languages, key)
        return self._known[key]
