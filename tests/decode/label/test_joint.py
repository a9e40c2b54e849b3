"""Both judges together: what they score, and what they choose."""

import math

import numpy as np
import pytest

from speech.decode.label.ctc_score import prefix_scores
from speech.decode.label.joint import Candidate, JointConfig, best, likeliest_prefix, posterior, score
from speech.errors import ConfigError
from tests.decode.label.spelled import saying, spell


def test_a_score_is_that_of_the_letters_and_a_price_for_each_that_cannot_be_written():
    log_probs = saying("h_e_l_l_o_")
    plain = score(log_probs, [spell("hello"), spell("hallo"), spell("")])
    np.testing.assert_allclose(plain[0], prefix_scores(log_probs, [spell("hello").ids])[0][-1])
    assert plain[0] > plain[1] > plain[2]
    assert score(log_probs, [spell("hello 你好")])[0] == pytest.approx(plain[0] - 8)
    assert score(log_probs, []) == []


def test_the_decoder_alone_decides_where_ctc_has_no_weight():
    texts = [Candidate("a", -3.0, -math.inf), Candidate("b", -2.0, -90.0), Candidate("c", -2.0, -1.0)]
    assert [one.text for one in best(texts, 0.0)] == ["b", "c", "a"]
    assert [one.text for one in best(texts, 0.2)] == ["c", "b", "a"]
    assert best([], 0.2) == []


def test_equal_texts_and_impossible_ones_stay_in_order():
    never = [Candidate(text, -1.0, -math.inf) for text in "xyz"]
    assert best(never, 0.5) == never


def test_the_likeliest_beginning_is_what_is_said():
    prefixes = ["hello", "hello you", "hello you hello", "hello you hello you"]
    for said in ["", *prefixes]:
        frames = "".join(f"{letter}_" for letter in said.replace(" ", ""))
        assert likeliest_prefix(saying(frames or "_"), prefixes, spell) == said
    assert likeliest_prefix(saying("h_e_l_l_o_"), [], spell) == ""


def test_ctc_counts_in_languages_that_it_has_learnt_and_in_some_for_more():
    config = JointConfig(ctc_weight=0.2, learnt=["deu", "ron"], ctc_weights={"ron": 0.6})
    assert [config.weight(code) for code in ("deu", "ron", "eng")] == [0.2, 0.6, 0.0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"beam": 0},
        {"ctc_weight": -0.1},
        {"no_speech": 1.5},
        {"unheard": 0.1},
        {"unclear": 0.1},
        {"silence": 1.5},
        {"ctc_language": -1.0},
        {"label_language": -1.0},
        {"ctc_least": 0.1},
        {"label_least": 0.1},
        {"learnt": ["ron"], "ctc_weights": {"ron": -1.0}},
        {"ctc_weights": {"ron": 1.0}},
    ],
)
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        JointConfig(**wrong)


def test_shares_are_those_of_all_texts_by_both_judges_and_what_phrases_add():
    texts = [
        Candidate("a", -1.0, -5.0),
        Candidate("b", -1.0, -5.0, bonus=math.log(3.0)),
        Candidate("c", -math.inf, 0.0),
    ]
    assert posterior(texts, 0.2) == pytest.approx([0.25, 0.75, 0.0])
    assert [one.text for one in best(texts, 0.2)] == ["b", "a", "c"]
    assert posterior([Candidate("a", -math.inf, 0.0)] * 2, 0.0) == [0.5, 0.5]
    assert posterior([Candidate("a", -9.0, -math.inf)], 0.0) == [1.0]
