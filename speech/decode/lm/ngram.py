"""N-gram model over vocabulary tokens: small, without dependencies, intended for characters.

Interpolated Witten-Bell smoothing (Witten and Bell 1991; Chen and Goodman 1998, section 2.6) in backoff form: an
n-gram stores the probability of its last token given the others, and, as a context, its backoff mass.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from speech.errors import ModelError
from speech.files import replacing

EDGE = 0
"""Boundary token before and after a text; the id of blank, which occurs in no text."""

_MULTIPLIER = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1
STEPS_PER_NAT = 12.0
"""Resolution of stored logarithms: twelfths of a nat in one byte, down to exp(-21)."""

State = tuple[int, ...]


class TokenNgram:
    """Scores texts token by token; a `prefix_beam.LanguageModel`.

    Args:
        order: maximum n-gram length.
        keys: `(n,)` uint64, sorted: hashes of the n-grams of all orders.
        scores: `(n,)` uint8, negative log-probability of the last token in twelfths of a nat.
        backoffs: `(n,)` uint8, negative logarithm of the backoff mass, likewise.
        weight: tuned weight beside the recognizer that the model was made for.
        bonus: tuned score per token, to offset the preference for short texts.
    """

    def __init__(
        self,
        order: int,
        keys: np.ndarray,
        scores: np.ndarray,
        backoffs: np.ndarray,
        weight: float = 0.3,
        bonus: float = 0.3,
    ) -> None:
        self.order = order
        self.weight, self.bonus = weight, bonus
        self.keys, self.scores, self.backoffs = keys, scores, backoffs
        self._keys, self._scores, self._backoffs = memoryview(keys), memoryview(scores), memoryview(backoffs)
        self._cached = lru_cache(maxsize=1 << 14)(self._score)
        self._contexts = lru_cache(maxsize=1 << 12)(self._hashed)

    @classmethod
    def train(cls, texts: Iterable[tuple[Sequence[int], float]], *, order: int = 6, prune: float = 0.0) -> TokenNgram:
        """Count n-grams and smooth them.

        Args:
            texts: token ids and weight of each text; put `EDGE` at the ends of whole texts.
            order: maximum n-gram length.
            prune: minimum total weight of n-grams of three or more tokens; others are dropped.
        """
        tokens, weights, rest = _flat(texts)
        tables: list[_Order] = []
        for length in range(1, order + 1):
            table = _Order.count(tokens, weights, rest, length, prune if length > 2 else 0.0)
            if not len(table.keys):
                break
            tables.append(table)
        _smooth(tables)
        keys = np.concatenate([table.keys for table in tables])
        index = np.argsort(keys)
        scores = np.concatenate([to_steps(table.probability) for table in tables])
        backoffs = np.concatenate([to_steps(table.left) for table in tables])
        return cls(len(tables), keys[index], scores[index], backoffs[index])

    def start(self) -> State:
        """The state before the first token."""
        return (EDGE,) if self.order > 1 else ()

    def score(self, state: State, token: int) -> tuple[State, float]:
        """The state after `token`, and its log-probability."""
        return self._cached(state, token)

    def finish(self, state: State) -> float:
        """Log-probability that the text ends here."""
        return self._cached(state, EDGE)[1]

    def _score(self, state: State, token: int) -> tuple[State, float]:
        following = (*state, token)[-(self.order - 1) :] if self.order > 1 else ()
        spent = 0
        for context, spent in self._contexts(state):
            found = self._find(extended(context, token))
            if found >= 0:
                return following, -(spent + self._scores[found]) / STEPS_PER_NAT
        return following, -(spent + 255) / STEPS_PER_NAT

    def _hashed(self, state: State) -> list[tuple[int, int]]:
        """Hashes of a state's contexts, from longest to empty, with the accumulated backoff costs."""
        contexts: list[tuple[int, int]] = []
        spent = 0
        for begin in range(len(state)):
            key = 0
            for token in state[begin:]:
                key = extended(key, token)
            contexts.append((key, spent))
            found = self._find(key)
            spent += self._backoffs[found] if found >= 0 else 0
        return [*contexts, (0, spent)]

    def _find(self, key: int) -> int:
        return place_of(self._keys, key)

    def save(self, path: Path) -> None:
        """Write a safetensors file."""
        record = {"keys": self.keys, "scores": self.scores, "backoffs": self.backoffs}
        record |= {"order": np.array([self.order]), "use": np.array([self.weight, self.bonus])}
        with replacing(path) as temporary:
            save_file(record, temporary, metadata={"format": "token_ngram"})

    @classmethod
    def load(cls, path: Path) -> TokenNgram:
        """Read the output of `save`.

        Raises:
            ModelError: if the file is not an n-gram model.
        """
        try:
            record = load_file(path)
            if not all(np.isfinite(record[name]).all() for name in ("scores", "backoffs", "use")):
                raise ValueError("some of its numbers are not finite")
            weight, bonus = record["use"].tolist()
            return cls(int(record["order"][0]), record["keys"], record["scores"], record["backoffs"], weight, bonus)
        except (OSError, SafetensorError, KeyError, IndexError, ValueError) as error:
            raise ModelError(f"is not an n-gram model: {error}", where=str(path)) from error


class _Order:
    """The n-grams of one length: hashes of n-gram, context and suffix, weights, and results of smoothing."""

    def __init__(self, keys: np.ndarray, contexts: np.ndarray, suffixes: np.ndarray, weights: np.ndarray) -> None:
        self.keys, self.contexts, self.suffixes, self.weights = keys, contexts, suffixes, weights
        self.probability = np.zeros(len(keys))
        self.left = np.ones(len(keys))
        """Backoff mass of this n-gram as a context."""

    @classmethod
    def count(cls, tokens: np.ndarray, weights: np.ndarray, rest: np.ndarray, length: int, prune: float) -> _Order:
        places = np.flatnonzero(rest >= length)
        hashed, context = np.zeros(len(places), np.uint64), np.zeros(len(places), np.uint64)
        suffix = np.zeros(len(places), np.uint64)
        for offset in range(length):
            context = hashed
            hashed = _fold(hashed, tokens[places + offset])
            if offset:
                suffix = _fold(suffix, tokens[places + offset])
        keys, first, inverse = np.unique(hashed, return_index=True, return_inverse=True)
        total = np.bincount(inverse, weights[places], minlength=len(keys))
        keep = total >= prune
        return cls(keys[keep], context[first][keep], suffix[first][keep], total[keep])


def _smooth(tables: list[_Order]) -> None:
    """Compute probabilities from the shortest n-grams up, and the backoff mass of each context."""
    for number, table in enumerate(tables):
        contexts, inverse = np.unique(table.contexts, return_inverse=True)
        mass = np.bincount(inverse, table.weights)
        kinds = np.bincount(inverse).astype(np.float64)
        left = kinds / (mass + kinds)
        if number:
            shorter = tables[number - 1]
            lower = shorter.probability[_places(shorter.keys, table.suffixes)]
            known = _places(shorter.keys, contexts)
            shorter.left[known] = left
        else:
            lower = np.full(len(table.keys), 1.0 / (len(table.keys) + 1))
        table.probability = table.weights / (mass + kinds)[inverse] + left[inverse] * lower


def _places(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Index of each wanted key; all are present, since a shorter n-gram weighs at least as much as a longer one with
    it."""
    places = np.searchsorted(keys, wanted)
    assert np.array_equal(keys[places], wanted)
    return places


def _flat(texts: Iterable[tuple[Sequence[int], float]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Concatenate all tokens, with the weight of each and the number of tokens from it to the end of its text."""
    tokens: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    rest: list[np.ndarray] = []
    for ids, weight in texts:
        tokens.append(np.asarray(ids, np.uint64))
        weights.append(np.full(len(ids), weight))
        rest.append(np.arange(len(ids), 0, -1))
    if not tokens:
        raise ModelError("no n-gram model without texts")
    return np.concatenate(tokens), np.concatenate(weights), np.concatenate(rest)


def place_of(keys: Sequence[int] | memoryview, key: int) -> int:
    """Index of `key` in sorted keys; -1 if it is missing."""
    place = bisect_left(keys, key)
    return place if place < len(keys) and keys[place] == key else -1


def extended(key: int, token: int) -> int:
    """Hash of an n-gram extended by one token; the empty n-gram has hash 0."""
    key = ((key ^ (token + 1)) * _MULTIPLIER) & _MASK
    return key ^ key >> 29


def _fold(hashed: np.ndarray, token: np.ndarray) -> np.ndarray:
    """Vectorized `extended`."""
    with np.errstate(over="ignore"):
        hashed = (hashed ^ (token + np.uint64(1))) * np.uint64(_MULTIPLIER)
    return hashed ^ (hashed >> np.uint64(29))


def to_steps(probability: np.ndarray) -> np.ndarray:
    """Convert probabilities to stored negative logarithms."""
    return np.clip(np.rint(-np.log(np.maximum(probability, math.exp(-30))) * STEPS_PER_NAT), 0, 255).astype(np.uint8)
