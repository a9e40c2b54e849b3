"""Compiled `prefix_beam` for our own language models (`beam_kernels.py`): the same results, many times faster."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
from torch import Tensor

from speech.compiled import load
from speech.decode.bias.phrases import Phrases
from speech.decode.ctc.greedy import TokenSpan
from speech.decode.ctc.prefix_beam import Hypothesis, check_search
from speech.decode.lm.lexicon import APOSTROPHES, USUAL, Lexicon
from speech.decode.lm.ngram import STEPS_PER_NAT, TokenNgram
from speech.decode.words.alignment import align
from speech.text.vocabulary import WORD_START

_NO_KEYS, _NO_SCORES = np.empty(0, np.uint64), np.empty(0, np.uint8)
_NO_PHRASES = (
    *[np.empty(0, np.int64)] * 2, _NO_KEYS, *[np.empty(0, np.int64)] * 3, *[np.empty(0, np.float64)] * 2,
)  # fmt: skip


def _kernels() -> Any:
    return load("speech.decode.ctc.beam_kernels")


@cache
def prepare() -> None:
    """Load or compile the kernels in the background, once per process, to shorten the first search."""
    threading.Thread(target=_warm, name="compile", daemon=True).start()


def _warm() -> None:
    compiled_beam(Tensor([[0.0, 0.0]]), SearchConfig(beam=1, top_k=1, least=-1.0))
    align(Tensor([[0.0, 0.0]]), [1])  # alignment times what the search finds


@dataclass(frozen=True, slots=True)
class TriedTokens:
    """Tokens that a search tries in some frames; see `beam_kernels.tried`."""

    blanks: np.ndarray
    begins: np.ndarray
    said: np.ndarray
    chances: np.ndarray

    def __len__(self) -> int:
        return len(self.blanks)

    def after(self, frames: int) -> TriedTokens:
        """Drop the first `frames` frames."""
        return TriedTokens(self.blanks[frames:], self.begins[frames:], self.said, self.chances)


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchConfig:
    """Search parameters; see `prefix_beam`."""

    beam: int
    top_k: int
    least: float
    blank: int = 0
    weight: float = 0.0
    bonus: float = 0.0

    def tried(self, log_probs: Tensor) -> TriedTokens:
        """Select the tokens to try in frames `(T, vocabulary)`.

        Raises:
            ConfigError: if `beam` or `top_k` is below 1, or `blank` is outside the vocabulary.
        """
        return self.chosen([part.cpu() for part in self.candidates(log_probs)])

    def candidates(self, log_probs: Tensor) -> list[Tensor]:
        """Reduce frames `(T, vocabulary)` on their device to the input of `chosen`: all scores if they are on the CPU
        already; otherwise the blank scores, the best scores and their tokens.

        Raises:
            ConfigError: see `tried`.
        """
        vocabulary = log_probs.shape[-1]
        check_search(vocabulary, self.beam, self.top_k, self.blank)
        scores = log_probs.detach().float()
        if scores.device.type == "cpu":
            return [scores]
        return [scores[:, self.blank], *scores.topk(min(self.top_k + 1, vocabulary))]

    def chosen(self, candidates: Sequence[Tensor]) -> TriedTokens:
        """Finish `tried` from the output of `candidates`, copied to the CPU."""
        arrays = [part.numpy() for part in candidates]
        if len(arrays) == 1:
            scores = np.ascontiguousarray(arrays[0])
            return TriedTokens(*_kernels().tried(scores, self.top_k, float(self.least), self.blank))
        blanks, best, ids = arrays
        order = np.lexsort((ids, -best))  # ties by token id, as in the kernel
        best, ids = np.take_along_axis(best, order, -1), np.take_along_axis(ids, order, -1)
        may = (ids != self.blank) & (best > self.least)
        kept = may & (may.cumsum(axis=-1) <= self.top_k)
        begins = np.concatenate([[0], kept.sum(axis=-1).cumsum()])
        return TriedTokens(blanks.astype(float), begins, ids[kept], best[kept].astype(float))


class BeamSearch:
    """Frame-synchronous search through one utterance; it releases the GIL.

    Args:
        config: search parameters.
        scorer: n-gram model over tokens.
        lexicon, languages, pieces: see `LexiconScorer`; used with an n-gram model only.
        phrases: phrases to bias towards.
    """

    def __init__(
        self,
        config: SearchConfig,
        scorer: TokenNgram | None = None,
        lexicon: Lexicon | None = None,
        languages: Sequence[str] = (),
        pieces: Sequence[str] = (),
        phrases: Phrases | None = None,
    ) -> None:
        self.config = config
        self._model = (
            float(config.weight), float(config.bonus), _ngram(scorer), _spelled(tuple(pieces) if lexicon else ()),
            _words(lexicon, tuple(languages), phrases), _NO_PHRASES if phrases is None else phrases.tables,
            scorer is not None, scorer is not None and lexicon is not None, phrases is not None,
        )  # fmt: skip
        order = 1 if scorer is None else scorer.order
        self._nodes = [np.empty(0, kind) for kind in _NODE]
        self._seen = [np.empty(0, np.int64), np.empty(0, np.int64)]
        self._rows = [np.empty((0, order + 1), np.uint64), np.empty((0, order + 1), np.int64), np.empty(0, np.int64)]
        self._sizes = np.array([1, 0, 1, 0])
        self._grow(1, 1)
        self._nodes[_PLACE][0] = 0 if phrases is None else phrases.start
        self._beams = np.zeros(config.beam, np.int64), np.zeros(config.beam), np.full(config.beam, -np.inf)

    def __len__(self) -> int:
        """Frames so far."""
        return int(self._sizes[3])

    def advance(self, tried: TriedTokens) -> None:
        """Search more frames."""
        nodes, rows = self._sizes[:2].tolist()
        beam, tokens = self.config.beam, int(tried.begins[-1] - tried.begins[0])
        self._grow(nodes + beam * tokens, rows + beam * len(tried))
        _kernels().advance(
            tried.blanks, tried.begins, tried.said, tried.chances,
            self._tree, tuple(self._seen), self._sizes, self._beams, self._model,
        )  # fmt: skip

    def best(self, *, ended: bool = True) -> tuple[Hypothesis, list[TokenSpan]]:
        """The best text, and each of its tokens at its likeliest frame.

        Args:
            ended: whether the utterance ends here, which completes the last word.
        """
        ids, frames, chances, score = _kernels().best(ended, self._tree, self._sizes, self._beams, self._model)
        frames = np.maximum.accumulate(frames) if len(frames) else frames
        spans = [
            TokenSpan(token, frame, frame + 1, math.exp(chance))
            for token, frame, chance in zip(ids.tolist(), frames.tolist(), chances.tolist(), strict=True)
        ]
        return Hypothesis(tuple(ids.tolist()), float(score)), spans

    def nbest(self) -> list[Hypothesis]:
        """All texts in the beam, from likely to unlikely, each scored as a complete utterance."""
        kept, blanked, spoken = self._beams
        found = []
        for row in range(int(self._sizes[2])):
            sizes, one = self._sizes.copy(), slice(row, row + 1)
            sizes[2] = 1
            beams = kept[one], blanked[one], spoken[one]
            ids, _, _, score = _kernels().best(True, self._tree, sizes, beams, self._model)
            found.append(Hypothesis(tuple(ids.tolist()), float(score)))
        return sorted(found, key=lambda one: -one.score)

    @property
    def _tree(self) -> tuple[np.ndarray, ...]:
        return (*self._nodes, *self._rows)

    def _grow(self, nodes: int, rows: int) -> None:
        """Grow the arrays to the given numbers of nodes and rows."""
        if nodes > len(self._nodes[0]):
            size = max(nodes, 2 * len(self._nodes[0]))
            self._nodes = [_grown(a, size, fill) for a, fill in zip(self._nodes, _FILL, strict=True)]
            self._seen = [_grown(array, size, -1) for array in self._seen]
        if rows > len(self._rows[2]):
            self._rows = [_grown(array, max(rows, 2 * len(self._rows[2])), 0) for array in self._rows]


# Parent, last token, score, first child, next sibling, two hashes, peak, its height, phrase state, row; see
# `beam_kernels.advance`.
_NODE = (*[np.int64] * 2, np.float64, *[np.int64] * 2, *[np.uint64] * 2, np.int64, np.float64, *[np.int64] * 2)
_FILL = (-1, 0, 0, -1, -1, 0, 0, -1, 0, 0, -1)
_PLACE = 9


def _grown(array: np.ndarray, size: int, fill: int) -> np.ndarray:
    wider = np.full((size, *array.shape[1:]), fill, array.dtype)
    wider[: len(array)] = array
    return wider


def compiled_beam(log_probs: Tensor, config: SearchConfig, **model: Any) -> Hypothesis:
    """The best text of one utterance `(T, vocabulary)`; `model` are keyword arguments of `BeamSearch`.

    Raises:
        ConfigError: see `SearchConfig.tried`.
    """
    search = BeamSearch(config, **model)
    search.advance(config.tried(log_probs))
    return search.best()[0]


def _ngram(scorer: TokenNgram | None) -> tuple[int, np.ndarray, np.ndarray, np.ndarray, float]:
    if scorer is None:
        return 1, _NO_KEYS, _NO_SCORES, _NO_SCORES, STEPS_PER_NAT
    return scorer.order, scorer.keys, scorer.scores, scorer.backoffs, STEPS_PER_NAT


def _words(lexicon: Lexicon | None, languages: tuple[str, ...], phrases: Phrases | None) -> tuple[Any, ...]:
    if lexicon is None:
        return _NO_KEYS, _NO_SCORES, np.empty((0, 2), np.int64), 0.0, 0.0, USUAL, STEPS_PER_NAT, _NO_KEYS
    own = _NO_KEYS if phrases is None else np.array(sorted(phrases.words), np.uint64)
    ranges = np.array([lexicon.ranges[code] for code in languages], np.int64)
    return (
        lexicon.keys, lexicon.scores, ranges, float(lexicon.scale), float(lexicon.penalty), USUAL, STEPS_PER_NAT,
        own,
    )  # fmt: skip


@lru_cache(maxsize=8)
def _spelled(pieces: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Offsets of each piece's characters, their code points, and their kinds."""
    kinds = _kernels()
    letters = [character for piece in pieces for character in piece]
    kind = [
        kinds.WORD_START if character == WORD_START
        else kinds.DIGIT if character.isdigit()
        else kinds.APOSTROPHE if character in APOSTROPHES
        else kinds.LETTER
        for character in letters
    ]  # fmt: skip
    begins = np.cumsum([0, *(len(piece) for piece in pieces)])
    return begins.astype(np.int64), np.array([ord(c) for c in letters], np.int64), np.array(kind, np.int64)
