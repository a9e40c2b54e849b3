"""Beam search against the sum over all paths, and language models in it."""

import itertools
import math
import sys
from collections import defaultdict
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.decode.ctc.frames import CtcFrames
from speech.decode.ctc.greedy import greedy
from speech.decode.ctc.prefix_beam import KenLm, prefix_beam
from speech.errors import ConfigError, FileError, ModelError

PIECES = ["<blank>", "a", "b", "c"]
ARPA = """\\data\\
ngram 1=5
ngram 2=3

\\1-grams:
-1.0\t<unk>
0\t<s>\t-0.5
-0.8\t</s>
-0.6\ta\t-0.25
-0.9\tb

\\2-grams:
-0.3\t<s> a
-0.2\ta b
-0.1\tb </s>

\\end\\
"""


class Bigram:
    """The state is the last token."""

    def __init__(self, vocabulary: int, seed: int) -> None:
        self.table = random_log_probs(vocabulary + 1, vocabulary + 1, seed).tolist()

    def start(self) -> int:
        return -1

    def score(self, state: int, token: int) -> tuple[int, float]:
        return token, self.table[state][token]

    def finish(self, state: int) -> float:
        return self.table[state][-1]


def random_log_probs(frames: int, vocabulary: int, seed: int) -> torch.Tensor:
    return torch.randn(frames, vocabulary, generator=torch.Generator().manual_seed(seed)).log_softmax(-1)


def every_text(log_probs: torch.Tensor, blank: int) -> dict[tuple[int, ...], float]:
    sums: dict[tuple[int, ...], float] = defaultdict(float)
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        text = tuple(token for token, _ in itertools.groupby(path) if token != blank)
        sums[text] += math.exp(sum(float(log_probs[t, c]) for t, c in enumerate(path)))
    return {text: math.log(total) for text, total in sums.items()}


@pytest.fixture
def arpa(tmp_path: Path) -> Path:
    path = tmp_path / "small.arpa"
    path.write_text(ARPA, "utf-8")
    return path


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 5), st.integers(2, 4), st.integers(0, 3), st.integers(0, 10_000))
def test_a_wide_beam_finds_every_text_with_its_summed_probability(frames, vocabulary, blank, seed):
    blank %= vocabulary
    log_probs = random_log_probs(frames, vocabulary, seed)
    found = prefix_beam(log_probs, beam=5000, top_k=vocabulary, blank=blank)
    assert {h.ids: pytest.approx(h.score, abs=1e-4) for h in found} == every_text(log_probs, blank)
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 4), st.integers(0, 10_000), st.floats(0, 2), st.floats(-1, 1))
def test_language_model_and_bonus_are_added_once_for_each_token(frames, seed, weight, bonus):
    log_probs = random_log_probs(frames, 3, seed)
    model = Bigram(3, seed)
    expected = {}
    for ids, score in every_text(log_probs, 0).items():
        history = [-1, *ids]
        gain = sum(model.table[a][b] for a, b in itertools.pairwise(history)) + model.finish(history[-1])
        expected[ids] = score + weight * gain + bonus * len(ids)
    found = prefix_beam(log_probs, beam=5000, scorer=model, weight=weight, bonus=bonus)
    assert {h.ids: pytest.approx(h.score, abs=1e-4) for h in found} == expected


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(1, 4), st.integers(0, 10_000))
def test_a_narrow_beam_keeps_as_many_texts_as_asked_and_never_overrates_them(frames, beam, seed):
    log_probs = random_log_probs(frames, 4, seed)
    found = prefix_beam(log_probs, beam=beam, top_k=2)
    assert 1 <= len(found) <= beam
    assert len({h.ids for h in found}) == len(found)
    for hypothesis in found:
        loss = torch.nn.functional.ctc_loss(
            log_probs[:, None],
            torch.tensor([hypothesis.ids], dtype=torch.int64),
            torch.tensor([frames]),
            torch.tensor([len(hypothesis.ids)]),
            reduction="sum",
        )
        assert hypothesis.score <= -float(loss) + 1e-3


def test_confident_frames_give_the_best_path():
    log_probs = torch.full((6, 4), 0.01)
    for frame, token in enumerate([1, 1, 0, 1, 2, 3]):
        log_probs[frame, token] = 0.97
    log_probs = log_probs.log()
    best = greedy(CtcFrames(log_probs[None], torch.tensor([6]), 0.04))[0]
    assert prefix_beam(log_probs)[0].ids == tuple(span.id for span in best) == (1, 1, 2, 3)


def test_a_token_of_probability_zero_is_never_said():
    log_probs = random_log_probs(5, 4, 1)
    log_probs[:, 2] = -torch.inf
    assert all(2 not in h.ids and math.isfinite(h.score) for h in prefix_beam(log_probs, beam=500))


@pytest.mark.parametrize("options", [{"beam": 0}, {"top_k": 0}, {"blank": 4}, {"blank": -1}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ConfigError, match="expected beam and top_k of at least 1"):
        prefix_beam(random_log_probs(2, 4, 0), **options)


def test_an_n_gram_model_scores_pieces_in_natural_logarithms(arpa):
    pytest.importorskip("kenlm")  # extra kenlm
    model = KenLm(arpa, PIECES.__getitem__)
    after_a, first = model.score(model.start(), 1)
    after_b, second = model.score(after_a, 2)
    found = [first, second, model.finish(after_b), model.score(after_a, 3)[1], model.finish(after_a)]
    # The last two back off from "a": -0.25 and the unigram.
    assert found == pytest.approx([x * math.log(10) for x in (-0.3, -0.2, -0.1, -1.25, -1.05)], abs=1e-5)


def test_an_n_gram_model_decides_between_texts_that_sound_alike(arpa):
    pytest.importorskip("kenlm")  # extra kenlm
    log_probs = torch.tensor([[0.02, 0.94, 0.02, 0.02], [0.02, 0.02, 0.47, 0.49]]).log()
    assert prefix_beam(log_probs)[0].ids == (1, 3)
    assert prefix_beam(log_probs, scorer=KenLm(arpa, PIECES.__getitem__), weight=1.0)[0].ids == (1, 2)


def test_a_file_that_is_no_n_gram_model_is_named(tmp_path):
    with pytest.raises(FileError, match=r"missing\.arpa: cannot be read: no such file"):
        KenLm(tmp_path / "missing.arpa", PIECES.__getitem__)
    (tmp_path / "bad.arpa").write_text("no model", "utf-8")
    with pytest.raises(ModelError, match=r"bad\.arpa"):
        KenLm(tmp_path / "bad.arpa", PIECES.__getitem__)


def test_without_kenlm_the_error_says_what_to_install_unless_there_is_no_file(arpa, monkeypatch):
    with pytest.raises(FileError, match="none: cannot be read: no such file"):
        KenLm(arpa.parent / "none", PIECES.__getitem__)
    monkeypatch.setitem(sys.modules, "kenlm", None)
    with pytest.raises(ModelError, match=r"pip install '[\w-]+\[kenlm\]'"):
        KenLm(arpa, PIECES.__getitem__)
