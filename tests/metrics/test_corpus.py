"""All figures of a corpus come from one alignment, and agree with jiwer and with a plain dynamic programme."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.metrics.corpus import SilenceErrors, intervals, total
from speech.metrics.edit.alignment import ErrorCounts
from speech.metrics.utterance import Pairing, score_utterance

texts = st.text(st.sampled_from("ab c去家"), max_size=12)


def pairing(reference, hypothesis, languages=(), **more):
    return Pairing(reference, hypothesis, languages, "u1", **more)


@given(st.lists(st.tuples(texts, texts), max_size=5), st.randoms())
def test_sums_of_a_corpus_do_not_depend_on_the_order(pairs, shuffled):
    scores = [score_utterance(pairing(*pair, ("cmn", "eng"))) for pair in pairs]
    mixed = shuffled.sample(scores, len(scores))
    assert total(scores) == total(mixed)


@given(texts)
def test_a_text_against_itself_has_no_errors(text):
    found = total([score_utterance(pairing(text, text, ("cmn", "eng")))])
    counts = (found.words, found.characters, found.mixed, found.points.points, found.points.rest, found.switches)
    assert not any(one.errors for one in counts)
    assert found.attributed.errors == 0


def distance(one, other):
    row = list(range(len(other) + 1))
    for i, wanted in enumerate(one, start=1):
        before, row[0] = row[0], i
        for j, found in enumerate(other, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (wanted != found))
    return row[-1]


def test_ten_thousand_random_cases_agree_with_jiwer_and_with_a_plain_programme():
    jiwer = pytest.importorskip("jiwer")
    rng = random.Random(0)
    words = ["a", "b", "cd", "ef", "去", "家了"]
    sides = [[" ".join(rng.choices(words, k=rng.randint(1, 8))) for _ in range(10_000)] for _ in range(2)]
    mixed = [[" ".join(text.replace("家了", "家 了").split()) for text in side] for side in sides]
    scores = [score_utterance(pairing(*pair, ("eng",))) for pair in zip(*sides, strict=True)]
    for score, one, other in zip(scores, *sides, strict=True):
        assert score.words.errors == distance(one.split(), other.split())
    for score, one, other in zip(scores, *mixed, strict=True):
        assert score.mixed.errors == distance(one.split(), other.split())
    found = total(scores)
    assert found.words.rate == pytest.approx(jiwer.wer(*sides))
    assert found.mixed.rate == pytest.approx(jiwer.wer(*mixed))
    assert found.characters.rate == pytest.approx(jiwer.cer(*[[t.replace(" ", "") for t in side] for side in sides]))


def test_intervals_are_given_for_what_has_units():
    scores = [score_utterance(pairing("a b", "a c")), score_utterance(pairing("a b", "a b"))]
    found = intervals(scores)
    assert set(found) == {"wer", "cer", "mer"}
    assert (found["wer"].low, found["wer"].value, found["wer"].high) == (0.0, 0.25, 0.5)


def test_insertions_where_nothing_was_said_are_counted_apart():
    scores = [score_utterance(pairing(*sides)) for sides in (("", "a bc"), ("...", "d"), ("", ""), ("x", "x y"))]
    assert total(scores).silence == SilenceErrors(3, 3, 4)
    assert total(scores).words == ErrorCounts(0, 0, 4, 1)
    assert total(scores[3:]).silence == SilenceErrors()
