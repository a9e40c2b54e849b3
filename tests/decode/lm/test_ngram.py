"""`TokenNgram`: a proper distribution, the one that the formula gives, kept on disk."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.decode.lm.ngram import EDGE, TokenNgram
from speech.errors import ModelError

TEXTS = [([EDGE, 1, 2, 3, 1, 2, EDGE], 1.0), ([EDGE, 2, 3, 3, EDGE], 2.0), ([EDGE, 1, 2, 4, EDGE], 1.0)]
KINDS = 5


def witten_bell(context: tuple[int, ...], token: int) -> float:
    """The textbook recursion."""
    grams: Counter[tuple[int, ...]] = Counter()
    for ids, weight in TEXTS:
        for place in range(len(ids) - len(context)):
            grams[tuple(ids[place : place + len(context) + 1])] += weight
    after = {gram[-1]: count for gram, count in grams.items() if gram[:-1] == context}
    lower = witten_bell(context[1:], token) if context else 1 / (KINDS + 1)
    mass, kinds = sum(after.values()), len(after)
    return (after.get(token, 0.0) + kinds * lower) / (mass + kinds) if kinds else lower


@given(st.lists(st.integers(0, 4), max_size=6), st.integers(0, 4))
def test_it_is_the_textbook_formula_within_a_stored_step(history, token):
    model = TokenNgram.train(TEXTS, order=3)
    state = model.start()
    for seen in history:
        state, _ = model.score(state, seen)
    context = (EDGE, *history)[-2:]
    assert model.score(state, token)[1] == pytest.approx(math.log(witten_bell(context, token)), abs=0.15)


@given(st.lists(st.integers(0, 4), max_size=5))
def test_probabilities_after_any_history_sum_to_about_one(history):
    model = TokenNgram.train(TEXTS, order=4)
    state = model.start()
    for seen in history:
        state, _ = model.score(state, seen)
    assert sum(math.exp(model.score(state, token)[1]) for token in range(KINDS)) == pytest.approx(1.0, abs=0.25)


def test_the_end_is_likely_where_texts_end():
    model = TokenNgram.train(TEXTS, order=3)
    ended, unended = model.start(), model.start()
    for token in (2, 3, 3):
        ended, _ = model.score(ended, token)
    unended, _ = model.score(unended, 1)
    assert model.finish(ended) > -0.7
    assert model.finish(unended) < -2


def test_an_unknown_token_is_possible_and_improbable():
    assert -60 < TokenNgram.train(TEXTS, order=3).score((EDGE,), 999)[1] < -10


def test_pruning_leaves_rare_long_ones_out():
    whole, pruned = TokenNgram.train(TEXTS, order=4), TokenNgram.train(TEXTS, order=4, prune=2.0)
    assert len(pruned.keys) < len(whole.keys)


def test_it_comes_back_from_disk(tmp_path):
    model = TokenNgram.train(TEXTS, order=3)
    model.weight, model.bonus = 0.45, 0.9
    model.save(tmp_path / "lm.safetensors")
    again = TokenNgram.load(tmp_path / "lm.safetensors")
    assert (again.order, again.weight, again.bonus) == (3, 0.45, 0.9)
    assert again.score((EDGE, 1), 2) == model.score((EDGE, 1), 2)


def test_something_else_and_nothing_are_refused(tmp_path):
    (tmp_path / "x").write_bytes(b"text")
    with pytest.raises(ModelError, match="n-gram"):
        TokenNgram.load(tmp_path / "x")
    with pytest.raises(ModelError, match="without texts"):
        TokenNgram.train([])
