"""SAER against values that were computed apart from this code, and its properties."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.errors import ConfigError, LanguageError
from speech.metrics.edit import alignment
from speech.metrics.meaning.saer import saer
from speech.metrics.meaning.semantic import MultilingualUSE
from speech.metrics.meaning.vectors import Vectors
from speech.metrics.utterance import Pairing, score_utterance
from speech.text.normalize import plain_text
from speech.text.units import UnitKind

COFFEE = "我老是去那家 coffee shop，因为那里真的很 peaceful"
PROJECT = "I have a big project due tomorrow. ¿Puedes ayudarme?"
TEAM = "الفريق بدأ المباراة بشكل قوي"
CASES = [  # reference, hypothesis, WER, CER, F, distance, SAER
    (COFFEE, COFFEE, 0, 0, 0, 0, 0),
    (COFFEE, "我老是去那家咖啡店，因为那里真的很安静", 1.0, 0.581, 0.312, 0.138, 0.225),
    (COFFEE, "我老是去那家靠飞下铺，因为那里真的很皮四否", 1.0, 0.581, 0.438, 0.579, 0.508),
    (COFFEE, "我从来不去那家 coffee shop，因为那里真的很 noisy", 0.4, 0.355, 0.25, 0.232, 0.241),
    (PROJECT, "I have a big project due tomorrow. Can you help me?", 0.444, 0.293, 0.444, 0.025, 0.235),
    (PROJECT, "I have a big project due tomorrow. ¿Pueblos ayer mesa?", 0.333, 0.195, 0.333, 0.25, 0.292),
    (f"{TEAM} But then the defense fell apart", f"{TEAM} ولكن بعد ذلك انهار الدفاع", 0.545, 0.52, 0.545, 0.071, 0.308),
    (f"{TEAM} But then the defense fell apart", f"{TEAM} butter than that fence felt a part",
     0.636, 0.18, 0.636, 0.277, 0.456),
    (PROJECT, "今天天气真好", 1.0, 1.0, 1.0, 0.796, 0.898),
]  # fmt: skip
texts = st.text(st.sampled_from("ab c去家"), max_size=12)


class Letters:
    """Counts letters: not about meaning, but quick, and nobody has to install it."""

    name = "letters"
    languages: frozenset[str] | None = None

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts):
        self.asked += texts
        rows = np.array([[text.count(letter) + 0.01 for letter in "abc去家"] for text in texts], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def use():
    return Vectors(MultilingualUSE())


@pytest.mark.parametrize(("reference", "hypothesis", "wer", "cer", "form", "distance", "expected"), CASES)
def test_values_are_those_computed_apart(use, reference, hypothesis, wer, cer, form, distance, expected):
    sample = [Pairing(reference, hypothesis)]
    assert saer(sample, use, form=UnitKind.wer).scores[0].form_error == pytest.approx(wer, abs=0.001)
    assert saer(sample, use, form=UnitKind.cer).scores[0].form_error == pytest.approx(cer, abs=0.001)
    (found,) = saer(sample, use).scores
    assert found.form_error == pytest.approx(form, abs=0.001)
    assert found.distance == pytest.approx(distance, abs=0.02)
    assert found.saer == pytest.approx(expected, abs=0.02)


@given(texts)
def test_a_text_has_no_distance_to_itself_and_the_encoder_is_not_asked(text):
    encoder = Letters()
    result = saer([Pairing(text, f" {text}!")], Vectors(encoder))
    assert result.saer == 0.0
    assert encoder.asked == []


@given(st.lists(st.tuples(texts, texts), max_size=4), st.sampled_from(UnitKind))
def test_scores_that_are_there_change_nothing(pairs, form):
    pairings = [Pairing(*pair) for pair in pairs]
    scores = [score_utterance(pairing) for pairing in pairings]
    found = saer(pairings, Vectors(Letters()), scores=scores, form=form)
    assert found == saer(pairings, Vectors(Letters()), form=form)


def test_what_scores_have_aligned_is_not_aligned_again(monkeypatch):
    pairings = [Pairing("a b", "a c"), Pairing("去 家", "去"), Pairing("去 ab", "去 ac")]
    scores = [score_utterance(pairing) for pairing in pairings]
    monkeypatch.setattr(alignment, "Levenshtein", None)
    assert [one.form for one in saer(pairings, Vectors(Letters()), scores=scores).scores] == ["wer", "cer", "mer"]


@given(texts, texts, st.floats(0, 1))
def test_both_parts_are_within_their_bounds_and_are_weighted(reference, hypothesis, weight):
    (found,) = saer([Pairing(reference, hypothesis)], Vectors(Letters()), weight=weight).scores
    assert 0.0 <= found.distance <= 1.0
    assert found.form_error >= 0.0
    if plain_text(reference) == plain_text(hypothesis):
        assert found.saer == 0.0
    assert found.saer == pytest.approx(weight * found.form_error + (1 - weight) * found.distance)


@pytest.mark.parametrize(("reference", "hypothesis"), [("", "a b c"), ("a b c", ""), ("?", "家")])
def test_one_empty_side_is_wholly_wrong(reference, hypothesis):
    (found,) = saer([Pairing(reference, hypothesis)], Vectors(Letters())).scores
    assert (found.form_error, found.distance, found.saer) == (1.0, 1.0, 1.0)


@given(st.lists(st.tuples(texts, texts), max_size=6), st.randoms())
def test_a_corpus_is_the_same_in_any_order(pairs, random):
    samples = [Pairing(*pair) for pair in pairs]
    mixed = random.sample(samples, len(samples))
    one, other = saer(samples, Vectors(Letters())), saer(mixed, Vectors(Letters()))
    assert (one.saer, one.distance) == (other.saer, other.distance)
    assert one.saer == pytest.approx(math.fsum(score.saer for score in one.scores) / max(len(samples), 1))


def test_each_sentence_is_encoded_once():
    encoder = Letters()
    saer([Pairing("a b", "a c"), Pairing("a b", "a"), Pairing("A, B!", "a c")], Vectors(encoder))
    assert sorted(encoder.asked) == ["a", "a b", "a c"]


def test_without_any_weight_of_meaning_nothing_is_encoded():
    encoder = Letters()
    assert saer([Pairing("a b", "a c")], Vectors(encoder), weight=1.0).saer == 0.5
    assert encoder.asked == []


def test_what_an_encoder_has_not_learned_is_refused_by_name_before_anything_is_encoded(use):
    with pytest.raises(LanguageError, match=r"u7: .*does not know hin"):
        saer([Pairing("a", "b"), Pairing("मेरा project", "project", ("hin", "eng"), "u7")], use)
    with pytest.raises(LanguageError, match=r"u7: .*letters such as 'म'"):
        saer([Pairing("a", "b"), Pairing("मेरा project", "project", (), "u7"), Pairing("a", "ঘর", (), "u8")], use)


def test_what_is_unknown_in_a_text_that_needs_no_vector_does_not_matter(use):
    found = saer([Pairing("मेरा", "मेरा!", ("hin",), "u1"), Pairing("मेरा", "", (), "u2")], use)
    assert [one.saer for one in found.scores] == [0.0, 1.0]


def test_a_weight_is_a_share():
    with pytest.raises(ConfigError, match="from 0 to 1"):
        saer([], Vectors(Letters()), weight=1.5)


def test_the_signature_says_what_has_to_be_equal():
    found = saer([Pairing("a", "b")], Vectors(Letters()), form=UnitKind.cer, weight=0.3).signature
    assert found == "saer|weight:0.3|form:cer|encoder:letters|normalizer:2"
