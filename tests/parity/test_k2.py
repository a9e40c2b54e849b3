"""k2 finds what `GraphDecoder` finds, in graphs and frames made at random.

k2 runs in an interpreter of its own, since PyPI has it for Python 3.9 only:

    uv venv --python 3.9 k2env
    uv pip install --python k2env/bin/python 'k2==1.23.2' 'torch==1.12.1' 'numpy<2'
    SPEECH_K2_PYTHON=k2env/bin/python pytest tests/parity/test_k2.py
"""

import itertools
import json
import math
import os
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from speech.decode.ctc.frames import CtcFrames
from speech.decode.graph import k2_graph, k2_search
from speech.decode.graph.graph import GraphDecoder, TokenGraph, grammar_graph, lexicon_graph
from speech.decode.graph.k2_graph import K2Decoder
from speech.decode.words.alignment import align
from speech.errors import ConfigError, ModelError, SpeechError

PYTHON = os.environ.get("SPEECH_K2_PYTHON")
needs_k2 = pytest.mark.skipif(
    not PYTHON, reason="SPEECH_K2_PYTHON names no interpreter that has k2; the head of this file says how to make one"
)
CASES = 40
"""Graphs of each kind, with three utterances each."""
UNLIMITED = {"search_beam": 1e9, "output_beam": 1.0, "min_active": 0, "max_active": 1 << 30}
TIE = 1e-4
CLOSE = 1e-3
Found = list[tuple[list[int], float]]
"""Of each utterance: tokens and score."""


@dataclass
class Case:
    graph: TokenGraph
    log_probs: torch.Tensor
    """(batch, T, vocabulary)"""
    lengths: list[int]
    scale: float

    @property
    def small(self) -> bool:
        """Enough to try every text."""
        return self.log_probs.shape[1] <= 4 and self.log_probs.shape[2] == 4


def spelling(rng: random.Random, tokens: int) -> tuple[int, ...]:
    """One to four tokens, often the same twice."""
    ids = [rng.randint(1, tokens)]
    while len(ids) < 4 and rng.random() < 0.6:
        ids.append(ids[-1] if rng.random() < 0.3 else rng.randint(1, tokens))
    return tuple(ids)


def words(rng: random.Random, tokens: int) -> TokenGraph:
    return lexicon_graph(spelling(rng, tokens) for _ in range(rng.randint(1, 12)))


def phrases(rng: random.Random, tokens: int) -> TokenGraph:
    spellings = [spelling(rng, tokens) + spelling(rng, tokens) for _ in range(rng.randint(1, 12))]
    return lexicon_graph(spellings, repeated=False)


def grammar(rng: random.Random, tokens: int) -> TokenGraph:
    """Of a trigram model: each context has an epsilon to the shorter one."""
    spellings = {f"w{number}": spelling(rng, tokens) for number in range(rng.randint(2, 6))}
    ngrams = {("<s>",): (-99.0, -rng.random()), ("</s>",): (-rng.random(), 0.0)}
    ngrams |= {(word,): (-3 * rng.random(), -2 * rng.random()) for word in spellings}
    for _ in range(2 * len(spellings)):
        before, word = rng.choice(["<s>", *spellings]), rng.choice([*spellings, "</s>"])
        ngrams[before, word] = -2 * rng.random(), -rng.random()
    for before in [ngram for ngram in ngrams if len(ngram) == 2 and ngram[-1] != "</s>"]:
        ngrams[*before, rng.choice([*spellings, "</s>"])] = -rng.random(), 0.0
    return grammar_graph(ngrams, spellings.get)


def anything(rng: random.Random, tokens: int) -> TokenGraph:
    """Arcs at random, a third of them epsilons, which lead to higher states only; some graphs accept no text."""
    states = rng.randint(2, 6)
    graph = TokenGraph([[] for _ in range(states)])
    for state in [*range(states), *(rng.randrange(states) for _ in range(2 * states))]:
        if state < states - 1 and rng.random() < 1 / 3:
            graph.arcs[state].append((k2_search.NOTHING, rng.uniform(-1, 2), rng.randrange(state + 1, states)))
        else:
            graph.arcs[state].append((rng.randint(1, tokens), rng.uniform(-1, 2), rng.randrange(states)))
    graph.final = {rng.randrange(states): rng.random() for _ in range(rng.randint(0, 2))}
    graph.arcs[0].append((rng.randint(1, tokens), math.inf, states - 1))
    return graph


def noise(rng: random.Random, vocabulary: int, length: int) -> torch.Tensor:
    """Three utterances (3, length, vocabulary): unclear, rather clear, and one that says tokens and blanks."""
    generator = torch.Generator().manual_seed(rng.randrange(1 << 30))
    logits = torch.randn(3, length, vocabulary, generator=generator) * torch.tensor([0.5, 4.0, 1.0])[:, None, None]
    path = [0] * length
    for start in range(0, length - 2, 3):
        path[start : start + 2] = [rng.randrange(vocabulary)] * 2
    logits[2] += 6.0 * torch.nn.functional.one_hot(torch.tensor(path), vocabulary)
    return logits.log_softmax(dim=-1)


def case_of(kind, seed: int) -> Case:
    """Every other one is small."""
    rng = random.Random(seed)
    tokens, length = (3, rng.randint(1, 4)) if seed % 2 == 0 else (rng.randint(3, 30), rng.randint(5, 80))
    log_probs = noise(rng, tokens + 1, length)
    if rng.random() < 0.2:
        log_probs[..., rng.randint(1, tokens)] = -torch.inf
    return Case(kind(rng, tokens), log_probs, [length, rng.randint(0, length), length], rng.choice([0.5, 1.0, 2.0]))


def ask(
    folder: Path, cases: list[tuple[TokenGraph, np.ndarray, list[int], dict]]
) -> list[list[tuple[list[int], float]]]:
    """What k2 finds in each case of graph, scores, lengths, options."""
    np.savez(folder / "scores.npz", **{str(number): scores for number, (_, scores, _, _) in enumerate(cases)})
    graphs = [
        {"arcs": graph.arcs, "final": graph.final, "lengths": lengths, "options": options}
        for graph, _, lengths, options in cases
    ]
    (folder / "graphs.json").write_text(json.dumps(graphs))
    reader = Path(__file__).parent / "k2_reader.py"
    subprocess.run([PYTHON, str(reader), str(k2_search.__file__), str(folder)], check=True, timeout=250)
    return [[tuple(best) for best in case["best"]] for case in json.loads((folder / "found.json").read_text())]


class Elsewhere:
    """`k2_search.Search` in the other interpreter."""

    def __init__(self, folder: Path, graph: TokenGraph) -> None:
        self._folder, self._graph = folder, graph
        self.tokens = tokens_of(graph)

    def best(self, scores: torch.Tensor, lengths: list[int], **options) -> Found:
        return ask(self._folder, [(self._graph, scores.numpy(), lengths, options)])[0]


def tokens_of(graph: TokenGraph) -> tuple[int, ...]:
    return tuple(sorted({token for arcs in graph.arcs for token, _, _ in arcs if token != k2_search.NOTHING}))


def cost(graph: TokenGraph, ids: list[int]) -> float:
    """Of the cheapest path of the graph that says just these tokens."""

    def rest(costs: dict[int, float]) -> dict[int, float]:
        """With the states behind epsilons."""
        waiting = list(costs)
        while waiting:
            state = waiting.pop()
            for token, more, target in graph.arcs[state]:
                if token == k2_search.NOTHING and costs[state] + more < costs.get(target, math.inf):
                    costs[target] = costs[state] + more
                    waiting.append(target)
        return costs

    costs = rest({0: 0.0})
    for spoken in ids:
        following: dict[int, float] = {}
        for state, so_far in costs.items():
            for token, more, target in graph.arcs[state]:
                if token == spoken:
                    following[target] = min(so_far + more, following.get(target, math.inf))
        costs = rest(following)
    return min((so_far + graph.final.get(state, math.inf) for state, so_far in costs.items()), default=math.inf)


def total(case: Case, row: int, ids: list[int]) -> float:
    """Score of a text by the audio and the graph."""
    try:
        heard = align(case.log_probs[row, : case.lengths[row]], ids).score
    except SpeechError:  # it needs more frames, or has a token of probability 0
        return -math.inf
    return case.scale * heard - cost(case.graph, ids)


def frames_of(case: Case) -> CtcFrames:
    return CtcFrames(case.log_probs, torch.tensor(case.lengths), 0.02)


@needs_k2
@pytest.mark.slow
@pytest.mark.parametrize("kind", [words, phrases, grammar, anything])
def test_k2_finds_what_kaldi_finds(tmp_path, kind):
    pytest.importorskip("kaldifst", reason="extra `graph`")
    cases = [case_of(kind, seed) for seed in range(CASES)]
    asked = [
        (case.graph, (case.log_probs[..., [0, *tokens_of(case.graph)]] * case.scale).numpy(), case.lengths, UNLIMITED)
        for case in cases
    ]
    for case, found in zip(cases, ask(tmp_path, asked), strict=True):
        decoder = GraphDecoder.from_graph(case.graph, beam=1e9, max_active=1 << 30, acoustic_scale=case.scale)
        expected = [[span.id for span in spans] for spans in decoder(frames_of(case))]
        for row, (ids, score) in enumerate(found):
            if case.lengths[row] == 0:
                assert ids == expected[row] == []
                continue
            best = total(case, row, expected[row])
            assert score == pytest.approx(best, abs=CLOSE)
            assert ids == expected[row] or total(case, row, ids) == pytest.approx(best, abs=TIE)
            if case.small:
                counts = range(case.lengths[row] + 1)
                texts = [list(text) for count in counts for text in itertools.product((1, 2, 3), repeat=count)]
                assert score == pytest.approx(max(total(case, row, text) for text in texts), abs=CLOSE)


@needs_k2
@pytest.mark.slow
def test_a_decoder_gives_the_spans_that_kaldi_gives(tmp_path, monkeypatch):
    pytest.importorskip("kaldifst", reason="extra `graph`")
    case = case_of(words, 1)
    monkeypatch.setattr(k2_graph, "Search", lambda arcs, final: Elsewhere(tmp_path, case.graph))
    blank = case.log_probs.shape[-1]  # behind the tokens, of which 0 is none
    log_probs = torch.cat([torch.full_like(case.log_probs[..., :1], -50.0), case.log_probs[..., 1:],
                           case.log_probs[..., :1]], dim=-1)  # fmt: skip
    frames = CtcFrames(log_probs, torch.tensor([0, *case.lengths[1:]]), 0.02)
    asked = {"blank": blank, "forbidden": tokens_of(case.graph)[:1]}
    found = K2Decoder.from_graph(case.graph)(frames, **asked)
    assert found[0] == []
    assert found[2]
    assert found == GraphDecoder.from_graph(case.graph)(frames, **asked)


@needs_k2
@pytest.mark.slow
def test_where_the_beam_kept_no_path_that_may_end_all_are_searched(tmp_path):
    graph = lexicon_graph([(1, 2)], repeated=False)
    log_probs = torch.tensor([[-9.0, -0.1, -12.0], [-0.1, -9.0, -12.0], [-0.1, -9.0, -10.0]]).expand(2, 3, 3).clone()
    log_probs[1, :, 2] += 2.0  # the phrase is better than nothing
    narrow = {"search_beam": 0.01, "output_beam": 0.01, "min_active": 0, "max_active": 1}
    (nothing, phrase) = ask(tmp_path, [(graph, log_probs.numpy(), [3, 3], narrow)])[0]
    assert nothing == ([], pytest.approx(-9.2))
    assert phrase == ([1, 2], pytest.approx(-8.2))


def test_without_k2_the_error_says_where_it_is(monkeypatch):
    monkeypatch.setitem(sys.modules, "k2", None)
    with pytest.raises(ModelError, match=r"needs k2: .*k2-fsa\.github\.io.*torch 1\.12\.1 only"):
        K2Decoder.from_graph(lexicon_graph([(1, 2)]))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"search_beam": 0.0}, "search_beam 0.0"), ({"output_beam": math.nan}, "output_beam nan"),
     ({"acoustic_scale": math.inf}, "acoustic_scale inf"), ({"min_active": 7000}, "min_active 7000")],
)  # fmt: skip
def test_options_out_of_range_are_refused(tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        K2Decoder(search=Elsewhere(tmp_path, lexicon_graph([(1, 2)])), **options)


@pytest.mark.parametrize(("graph", "blank"), [([(1, 5)], 0), ([(1, 2)], 2)])
def test_a_graph_of_another_vocabulary_is_refused(tmp_path, graph, blank):
    decoder = K2Decoder(search=Elsewhere(tmp_path, lexicon_graph(graph)))
    with pytest.raises(ConfigError, match=f"vocabulary of 5 with blank {blank}"):
        decoder(CtcFrames(torch.zeros(1, 3, 5), torch.tensor([3]), 0.02), blank=blank)


def test_a_graph_without_tokens_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(k2_graph, "Search", lambda arcs, final: Elsewhere(tmp_path, lexicon_graph([])))
    with pytest.raises(ConfigError, match="no words"):
        K2Decoder.from_graph(lexicon_graph([]))
