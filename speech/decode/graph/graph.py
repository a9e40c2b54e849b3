"""Graph decoding: text restricted to a closed vocabulary, a list of phrases, or a word n-gram model.

The graph is the composition of CTC topology, lexicon and grammar (Mohri et al. 2002; Miao et al. 2015, "EESEN",
section 3), searched by Kaldi's decoder (packages kaldifst and kaldi-decoder). The composition is built directly: the
topology of the whole vocabulary alone would have a quadratic number of arcs.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import batched, groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from speech.decode.bias.phrases import spelled
from speech.decode.ctc.frames import CtcFrames, without
from speech.decode.ctc.greedy import TokenSpan
from speech.decode.words.alignment import align
from speech.errors import ConfigError, ModelError
from speech.extras import needs_extra
from speech.text.tokenizers.sentencepiece import Tokenizer

_EPSILON = -1
"""Label of an epsilon arc in a `TokenGraph`."""
_BLANK = 1
"""Label of blank in the search graph, where 0 is epsilon and tokens follow blank: Kaldi reads column label - 1."""
_EVERYTHING = (1e30, 2**31 - 1)
"""Beam and maximum active states of a search without pruning."""
_WIDE = 256
"""Number of arcs of a state above which they are grouped."""

TokenIds = tuple[int, ...]
Ngram = tuple[str, ...]


@dataclass(slots=True)
class TokenGraph:
    """Weighted acceptor of token sequences; costs are negative natural logarithms. The start state is 0."""

    arcs: list[list[tuple[int, float, int]]] = field(default_factory=list)
    """Arcs per state: token or epsilon, cost, next state. There are no epsilon cycles."""
    final: dict[int, float] = field(default_factory=dict)
    """Final state -> its cost."""
    _tails: dict[tuple[int, int], int] = field(default_factory=dict, repr=False)
    """(token, next state) -> the shared state whose only arc this is."""

    def state(self) -> int:
        """Add a state."""
        self.arcs.append([])
        return len(self.arcs) - 1

    def spell(self, state: int, words: Sequence[tuple[TokenIds, float, int]]) -> None:
        """Add words from a state, each given as spelling, cost and next state.

        Words share arcs for common prefixes, and costs are pushed forward, so that a search can prune early. Words
        with the same next state share arcs for common suffixes too.
        """
        sure: dict[TokenIds, float] = {}
        begun = Counter[TokenIds]()
        for tokens, cost, _ in words:
            for end in range(1, len(tokens)):
                sure[tokens[:end]] = min(cost, sure.get(tokens[:end], math.inf))
                begun[tokens[:end]] += 1
        sure[()] = 0.0
        nodes: dict[TokenIds, int] = {(): state}
        for tokens, cost, target in words:
            end = 1
            while end < len(tokens) and begun[tokens[:end]] > 1:
                before, here = tokens[: end - 1], tokens[:end]
                if here not in nodes:
                    nodes[here] = self.state()
                    self.arcs[nodes[before]].append((here[-1], sure[here] - sure[before], nodes[here]))
                end += 1
            before, rest = tokens[: end - 1], tokens[end:]
            self.arcs[nodes[before]].append((tokens[end - 1], cost - sure[before], self._tail(rest, target)))

    def _tail(self, tokens: TokenIds, target: int) -> int:
        """The state whose only path is these tokens, to the target."""
        for token in reversed(tokens):
            if (token, target) not in self._tails:
                self._tails[token, target] = self.state()
                self.arcs[-1].append((token, 0.0, target))
            target = self._tails[token, target]
        return target


def lexicon_graph(words: Iterable[TokenIds], *, repeated: bool = True) -> TokenGraph:
    """Accept any sequence of the words, or at most one if not `repeated`; all words cost nothing."""
    graph = TokenGraph()
    start = graph.state()
    end = start if repeated else graph.state()
    graph.final = {start: 0.0, end: 0.0}
    graph.spell(start, [(word, 0.0, end) for word in dict.fromkeys(words)])
    return graph


def read_arpa(path: Path) -> dict[Ngram, tuple[float, float]]:
    """Read an ARPA file: n-gram -> natural logarithms of its probability and of its backoff weight.

    Raises:
        ModelError: if the file cannot be read, or a line is malformed.
    """
    ngrams: dict[Ngram, tuple[float, float]] = {}
    try:
        with path.open(encoding="utf-8", newline="\n") as lines:
            for number, order, fields in _entries(lines):
                try:
                    backoff = float(fields[order + 1]) if len(fields) > order + 1 else 0.0
                    entry = float(fields[0]) * math.log(10), backoff * math.log(10)
                    ngram = tuple(fields[1 : order + 1])
                    if len(ngram) != order or math.isnan(sum(entry)) or max(entry) == math.inf:
                        raise ValueError
                except ValueError as error:
                    expected = f"expected a logarithm, {order} words and perhaps a backoff weight"
                    raise ModelError(f"{' '.join(fields)!r}, {expected}", where=f"{path}:{number}") from error
                ngrams[ngram] = entry
    except (OSError, ValueError) as error:
        fix = "Give an n-gram model in ARPA's text format."
        raise ModelError(f"cannot be read: {error}", where=str(path), fix=fix) from error
    return ngrams


def _entries(lines: Iterable[str]) -> Iterator[tuple[int, int, list[str]]]:
    """Yield line number, order and fields of each n-gram; raises ValueError if the file is truncated."""
    order = 0
    for number, line in enumerate(lines, 1):
        text = line.strip(" \t\r\n")
        if heading := re.fullmatch(r"\\(\d+)-grams:", text):
            order = int(heading[1])
        elif text == "\\end\\":
            return
        elif text and order:
            yield number, order, re.split(r"[ \t]+", text)
    raise ValueError("it has no line \\end\\")


def grammar_graph(ngrams: dict[Ngram, tuple[float, float]], spelling: Callable[[str], TokenIds | None]) -> TokenGraph:
    """Build an n-gram graph: one state per context, with epsilon arcs for backoff.

    As usual in such graphs, a word may also be reached by backoff if that is cheaper (Mohri et al. 2002, section 3).
    N-grams with words that cannot be spelled are skipped.

    Args:
        ngrams: see `read_arpa`.
        spelling: spells a word; None if it cannot be written.
    """
    spellings = {word: spelling(word) for word in {word for ngram in ngrams for word in ngram} - {"<s>", "</s>"}}
    kept = {
        ngram: scores
        for ngram, scores in ngrams.items()
        if ngram[-1] != "<s>" and scores[0] > -math.inf
        and all(spellings.get(word) or word == "<s>" for word in ngram[:-1])
        and (spellings.get(ngram[-1]) or ngram[-1] == "</s>")
    }  # fmt: skip
    contexts = {(), *(ngram[:-1] for ngram in kept)}
    first = ("<s>",) if ("<s>",) in contexts else ()
    graph = TokenGraph()
    states = {context: graph.state() for context in [first, *sorted(contexts - {first})]}

    def after(history: Ngram) -> tuple[float, int]:
        """Back off to the longest context with a state; returns the cost and the state."""
        cost = 0.0
        while history not in states:
            cost -= ngrams.get(history, (0.0, 0.0))[1]
            history = history[1:]
        return cost, states[history]

    following: dict[Ngram, list[tuple[TokenIds, float, int]]] = {context: [] for context in contexts}
    for ngram, (score, _) in kept.items():
        word = spellings.get(ngram[-1])
        if word:
            cost, target = after(ngram)
            if cost < math.inf:
                following[ngram[:-1]].append((word, cost - score, target))
        else:
            graph.final[states[ngram[:-1]]] = -score
    graph.final.setdefault(states[()], 0.0)
    for context, words in following.items():
        graph.spell(states[context], words)
        if context:
            cost, target = after(context[1:])
            cost -= ngrams.get(context, (0.0, 0.0))[1]
            if cost < math.inf:
                graph.arcs[states[context]].append((_EPSILON, cost, target))
    return graph


def _narrow(arcs: list[list[tuple[int, float, int]]]) -> list[list[tuple[int, float, int]]]:
    """Group the arcs of states with many arcs behind epsilons.

    Otherwise the composition would have an arc for each pair of single-token words.
    """
    narrow = list(arcs)
    for state, leaving in enumerate(arcs):
        if len(leaving) > _WIDE:
            groups = list(batched(leaving, math.isqrt(len(leaving))))
            narrow[state] = [(_EPSILON, 0.0, len(narrow) + number) for number in range(len(groups))]
            narrow.extend(map(list, groups))
    return narrow


class _Composition:
    """Composition of CTC topology with a `TokenGraph`: tokens may repeat over frames, with optional blanks in between.

    A state is a pair of token-graph state and last token, if that token may still repeat. Equal tokens need a blank
    in between. If the last token cannot come next, an epsilon drops it, so that later states are shared.
    """

    def __init__(self, graph: TokenGraph, labels: dict[int, int]) -> None:
        self._kaldifst, _ = _packages()
        self._arcs, self._final, self._labels = _narrow(graph.arcs), graph.final, labels
        self._tokens = [{token for token, _, _ in arcs} for arcs in self._arcs]
        self._states: dict[tuple[int, int | None], int] = {}
        self._new: list[tuple[int, int | None]] = []
        self.fst = self._kaldifst.StdVectorFst()
        self.fst.start = self._state(0, None)
        while self._new:
            self._leave(*self._new.pop())

    def _leave(self, state: int, last: int | None) -> None:
        """Add the arcs that leave a state."""
        here = self._states[state, last]
        if last is not None:
            self._arc(here, self._labels[last], 0.0, here)
            if not self._repeats(state, last):
                self._arc(here, 0, 0.0, self._state(state, None))
                return
        self._arc(here, _BLANK, 0.0, self._state(state, None))
        for token, cost, target in self._arcs[state]:
            if token == _EPSILON:
                kept = last if last is not None and self._repeats(target, last) else None
                self._arc(here, 0, cost, self._state(target, kept))
            elif token != last:
                self._arc(here, self._labels[token], cost, self._state(target, token))
        if state in self._final:
            self.fst.set_final(here, self._final[state])

    def _repeats(self, state: int, token: int) -> bool:
        """Whether `token` can come next."""
        if token in self._tokens[state]:
            return True
        if _EPSILON not in self._tokens[state]:
            return False
        return any(self._repeats(target, token) for label, _, target in self._arcs[state] if label == _EPSILON)

    def _state(self, state: int, last: int | None) -> int:
        number = self._states.get((state, last))
        if number is None:
            number = self._states[state, last] = self.fst.add_state()
            self._new.append((state, last))
        return number

    def _arc(self, here: int, label: int, cost: float, there: int) -> None:
        self.fst.add_arc(here, self._kaldifst.StdArc(label, 0, cost, there))


@dataclass(frozen=True, kw_only=True, slots=True)
class GraphDecoder:
    """Graph decoder, called like `greedy`; its text is restricted to the graph."""

    graph: Any
    """`kaldifst.StdVectorFst` over labels: 0 epsilon, 1 blank, 2 and up `tokens`."""
    tokens: tuple[int, ...]
    """Ids of the tokens in the graph."""
    acoustic_scale: float = 1.0
    """Weight of acoustic log-probabilities relative to graph costs."""
    beam: float = 20.0
    """Maximum score difference to the best path, in scaled nats."""
    max_active: int = 7000
    """Maximum states kept after each frame."""

    def __post_init__(self) -> None:
        if not (0 < self.acoustic_scale < math.inf and self.beam > 0 and self.max_active >= 2):
            raise ConfigError(
                f"acoustic_scale {self.acoustic_scale}, beam {self.beam}, max_active {self.max_active}; "
                "expected a scale and a beam above 0, and max_active of at least 2"
            )

    @classmethod
    def from_graph(cls, graph: TokenGraph, **search: Any) -> GraphDecoder:
        """Create a decoder from a token graph.

        Args:
            graph: graph over token ids.
            search: `acoustic_scale`, `beam`, `max_active`.

        Raises:
            ConfigError: if the graph has no tokens, or a search argument is out of range.
            ModelError: if the packages are not installed.
        """
        tokens = sorted({token for arcs in graph.arcs for token, _, _ in arcs} - {_EPSILON})
        if not tokens:
            raise ConfigError("no words that the model can write, expected at least one")
        labels = {token: label for label, token in enumerate(tokens, _BLANK + 1)}
        return cls(graph=_Composition(graph, labels).fst, tokens=tuple(tokens), **search)

    @classmethod
    def from_lexicon(cls, tokenizer: Tokenizer, words: Iterable[str], **search: Any) -> GraphDecoder:
        """Accept any sequence of these words, in a language with spaces; "new york" may be one word.

        Args:
            tokenizer: the model's.
            words: in any spelling; case and punctuation are dropped.
            search: see `from_graph`.

        Raises:
            ConfigError: if the model cannot write a word, or there are no words.
            ModelError: if the packages are not installed.
        """
        return cls.from_graph(lexicon_graph(spelled(tokenizer, word) for word in words), **search)

    @classmethod
    def from_phrases(cls, tokenizer: Tokenizer, phrases: Iterable[str], **search: Any) -> GraphDecoder:
        """Accept one of these phrases, such as commands, or nothing. Arguments and errors as for `from_lexicon`."""
        spellings = (spelled(tokenizer, phrase) for phrase in phrases)
        return cls.from_graph(lexicon_graph(spellings, repeated=False), **search)

    @classmethod
    def from_arpa(cls, tokenizer: Tokenizer, path: Path, **search: Any) -> GraphDecoder:
        """Accept texts of an ARPA word n-gram model, limited to words that the model can write, without `<unk>`.

        Args:
            tokenizer: the model's.
            path: ARPA file over words.
            search: see `from_graph`.

        Raises:
            ModelError: if the file is not an ARPA model, or the packages are not installed.
            ConfigError: if the model can write none of the words.
        """

        def spelling(word: str) -> TokenIds | None:
            try:
                return None if re.fullmatch("<.*>", word) else spelled(tokenizer, word)
            except ConfigError:
                return None

        _packages()  # fail before reading the file
        return cls.from_graph(grammar_graph(read_arpa(path), spelling), **search)

    def __call__(
        self, frames: CtcFrames, *, blank: int = 0, forbidden: Collection[int] = (), languages: Sequence[str] = ()
    ) -> list[list[TokenSpan]]:
        """Token spans of each utterance; tokens in `forbidden` are never emitted, and `languages` are ignored.

        Raises:
            ConfigError: if the frames' vocabulary lacks a token of the graph, or blank is one of them.
        """
        if blank in self.tokens or self.tokens[-1] >= frames.log_probs.shape[-1]:
            raise ConfigError(
                f"a graph over tokens up to {self.tokens[-1]} for a vocabulary of {frames.log_probs.shape[-1]} "
                f"with blank {blank}",
                fix="Build the graph with the tokenizer of this model.",
            )
        return [self._decode(frames.select(row), blank, forbidden) for row in range(len(frames.lengths))]

    def _decode(self, log_probs: Tensor, blank: int, forbidden: Collection[int]) -> list[TokenSpan]:
        if not len(log_probs):
            return []
        log_probs = without(log_probs, forbidden)
        scores = log_probs[:, torch.tensor([blank, *self.tokens], device=log_probs.device)] * self.acoustic_scale
        ids = self._search(scores.detach().float().cpu().numpy())
        return align(log_probs, ids, blank).spans if ids else []

    def _search(self, scores: np.ndarray) -> list[int]:
        """Token ids of the best path through scores `(T, 1 + tokens)`; the search is repeated without pruning if no
        final state is reached."""
        kaldifst, kaldi = _packages()
        decodable = kaldi.DecodableCtc(scores)
        for beam, most in ((self.beam, self.max_active), _EVERYTHING):
            options = kaldi.FasterDecoderOptions(beam=beam, max_active=most, min_active=min(20, most - 1))
            decoder = kaldi.FasterDecoder(self.graph, options)
            decoder.decode(decodable)
            if decoder.reached_final():
                _, labels, _, _ = kaldifst.get_linear_symbol_sequence(decoder.get_best_path()[1])
                return [self.tokens[label - _BLANK - 1] for label, _ in groupby(labels) if label != _BLANK]
        return []


def _packages() -> tuple[Any, Any]:
    """Import kaldifst and kaldi_decoder."""
    try:
        return import_module("kaldifst"), import_module("kaldi_decoder")
    except ImportError as error:
        raise ModelError(
            "needs kaldifst and kaldi-decoder", where="graph decoding", fix=needs_extra("graph")
        ) from error
