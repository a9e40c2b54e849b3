"""CTC prefix beam search (Hannun et al. 2014): finds the most probable texts, summed over their paths.

This version accepts any language model; `BeamDecoder` uses it for external ones, such as an ARPA file read by kenlm.
All other searches use the compiled version (`compiled_beam`), whose tests compare it with this one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from speech.errors import ConfigError, ModelError
from speech.extras import needs_extra
from speech.files import check_readable

_NEVER = -math.inf


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A candidate text."""

    ids: tuple[int, ...]
    score: float
    """CTC log-probability plus the scores of language model and bonus."""


class LanguageModel[State](Protocol):
    """Scores a text token by token, in natural logarithms."""

    def start(self) -> State:
        """The state before the first token."""

    def score(self, state: State, token: int) -> tuple[State, float]:
        """The state after `token`, and the log-probability of `token`."""

    def finish(self, state: State) -> float:
        """Log-probability that the text ends here."""


class KenLm:
    """KenLM n-gram model over pieces (Heafield 2011): each token is one "word" of the model.

    Args:
        path: ARPA or binary file.
        pieces: token id to piece, spelled as in the file.

    Raises:
        FileError: if the file cannot be read.
        ModelError: if it is not an n-gram model, or the package kenlm is not installed.
    """

    def __init__(self, path: Path, pieces: Callable[[int], str]) -> None:
        check_readable(path)
        try:
            import kenlm
        except ImportError as error:
            raise ModelError("needs the package kenlm", where=str(path), fix=needs_extra("kenlm")) from error
        config = kenlm.Config()
        config.show_progress = False
        try:
            self._model = kenlm.Model(str(path), config)
        except (OSError, RuntimeError) as error:
            raise ModelError("is not an n-gram model that kenlm can read", where=str(path)) from error
        self._state = kenlm.State
        self._pieces = pieces

    def start(self) -> Any:
        """The state after the beginning of a sentence."""
        state = self._state()
        self._model.BeginSentenceWrite(state)
        return state

    def score(self, state: Any, token: int) -> tuple[Any, float]:
        """The state after `token`, and its log-probability; pieces unknown to the model score as `<unk>`."""
        return self._score(state, self._pieces(token))

    def finish(self, state: Any) -> float:
        """Log-probability of the end of the sentence."""
        return self._score(state, "</s>")[1]

    def _score(self, state: Any, word: str) -> tuple[Any, float]:
        following = self._state()
        return following, self._model.BaseScore(state, word, following) * math.log(10)


@dataclass(slots=True, eq=False)
class _Prefix:
    """A node of the prefix tree, compared by identity: each text has one node."""

    parent: _Prefix | None
    token: int
    state: Any
    extra: float
    """Score of language model and bonus so far."""
    children: dict[int, _Prefix] = field(default_factory=dict)

    def ids(self) -> tuple[int, ...]:
        ids: list[int] = []
        node = self
        while node.parent is not None:
            ids.append(node.token)
            node = node.parent
        return tuple(reversed(ids))


_Beam = dict[_Prefix, list[float]]  # log-probability of paths ending in blank, and of paths not ending in blank


def prefix_beam(
    log_probs: Tensor,
    *,
    beam: int = 8,
    top_k: int = 20,
    least: float = _NEVER,
    blank: int = 0,
    scorer: LanguageModel[Any] | None = None,
    weight: float = 0.0,
    bonus: float = 0.0,
) -> list[Hypothesis]:
    """Return the best texts of one utterance, best first.

    Args:
        log_probs: (T, vocabulary)
        beam: texts kept after each frame.
        top_k: maximum tokens tried per frame, besides blank.
        least: minimum log-probability of a token to be tried.
        blank: id of blank.
        scorer: language model over tokens.
        weight: weight of the language model.
        bonus: score per token, to offset the language model's preference for short texts.

    Raises:
        ConfigError: if `beam` or `top_k` is below 1, or `blank` is outside the vocabulary.
    """
    check_search(log_probs.shape[-1], beam, top_k, blank)
    scores = log_probs.detach().float().cpu()
    grow = _Grower(scorer, weight, bonus)
    kept: _Beam = {_Prefix(None, blank, scorer.start() if scorer else None, 0.0): [0.0, _NEVER]}
    for silence, said in zip(scores[:, blank].tolist(), _tried(scores, top_k, least, blank), strict=True):
        wider = _advance(kept, silence, said, grow)
        ranked = sorted(wider, key=lambda prefix: _sum(*wider[prefix]) + prefix.extra, reverse=True)
        kept = {prefix: wider[prefix] for prefix in ranked[:beam]}
    found = [Hypothesis(p.ids(), _sum(*chance) + p.extra + grow.finish(p)) for p, chance in kept.items()]
    return sorted(found, key=lambda hypothesis: hypothesis.score, reverse=True)


def check_search(vocabulary: int, beam: int, top_k: int, blank: int) -> None:
    """Check search parameters; raises ConfigError if they are invalid."""
    if beam < 1 or top_k < 1 or not 0 <= blank < vocabulary:
        raise ConfigError(
            f"beam {beam}, top_k {top_k}, blank {blank}; expected beam and top_k of at least 1, "
            f"and blank in a vocabulary of {vocabulary}"
        )


def _tried(scores: Tensor, top_k: int, least: float, blank: int) -> list[list[tuple[int, float]]]:
    """Tokens to try per frame with their log-probabilities: the best `top_k` above `least`, without blank."""
    said: list[list[tuple[int, float]]] = [[] for _ in range(len(scores))]
    frames, tokens = (scores > least).nonzero(
        as_tuple=True
    )  # sorting the whole vocabulary per frame would dominate the cost
    chances = scores[frames, tokens].tolist()
    for frame, token, chance in zip(frames.tolist(), tokens.tolist(), chances, strict=True):
        if token != blank:
            said[frame].append((token, chance))
    for pairs in said:
        if len(pairs) > 1:
            pairs.sort(key=lambda pair: -pair[1])
            del pairs[top_k:]
    return said


def _advance(kept: _Beam, silence: float, said: list[tuple[int, float]], grow: _Grower) -> _Beam:
    """Extend the beam by one frame, without pruning."""
    wider: _Beam = {}
    for prefix, (blanked, spoken) in kept.items():
        total = _sum(blanked, spoken)
        here = wider.setdefault(prefix, [_NEVER, _NEVER])
        here[0] = _sum(here[0], total + silence)
        for token, chance in said:
            before = total
            if prefix.parent is not None and token == prefix.token:
                here[1] = _sum(here[1], spoken + chance)
                before = blanked  # a repeated token needs a blank in between
            if before > _NEVER:
                there = wider.setdefault(grow(prefix, token), [_NEVER, _NEVER])
                there[1] = _sum(there[1], before + chance)
    return wider


class _Grower:
    """Extends prefixes by one token; the language model scores each extension once."""

    def __init__(self, scorer: LanguageModel[Any] | None, weight: float, bonus: float) -> None:
        self._scorer = scorer
        self._weight = weight
        self._bonus = bonus

    def __call__(self, prefix: _Prefix, token: int) -> _Prefix:
        child = prefix.children.get(token)
        if child is None:
            state, gain = self._scorer.score(prefix.state, token) if self._scorer else (None, 0.0)
            child = _Prefix(prefix, token, state, prefix.extra + self._weight * gain + self._bonus)
            prefix.children[token] = child
        return child

    def finish(self, prefix: _Prefix) -> float:
        return self._weight * self._scorer.finish(prefix.state) if self._scorer else 0.0


def _sum(a: float, b: float) -> float:
    """log(exp(a) + exp(b))."""
    if a < b:
        a, b = b, a
    return a if b == _NEVER else a + math.log1p(math.exp(b - a))
