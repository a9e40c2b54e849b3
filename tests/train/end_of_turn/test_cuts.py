"""Where texts are cut."""

import random
from collections import Counter

import pytest

from speech.train.end_of_turn.cuts import cut_place, ends_openly, frequent_words


@pytest.mark.parametrize("text", ["and then,", "He said:", "Well...", "I …", "one -", '"Yes,"', "因为，"])
def test_texts_that_go_on(text):
    assert ends_openly(text)


@pytest.mark.parametrize("text", ["Yes.", "Yes", "What?", "", "a, b", '"Yes."'])
def test_texts_that_do_not(text):
    assert not ends_openly(text)


def test_frequent_words_are_those_of_a_language():
    texts = [("eng", f"The word{n} and the other{n}.") for n in range(60)] + [("deu", "Der Hund")]
    found = frequent_words(texts)
    assert {"the", "and"} < found["eng"]
    assert len(found["eng"]) == 40
    assert found["deu"] == {"der", "hund"}


def test_cuts_leave_something_on_both_sides_and_lie_more_often_behind_frequent_words():
    rng = random.Random(1)
    counts = Counter(cut_place("Dog The, cat ran".split(), frozenset({"the"}), rng) for _ in range(600))
    assert counts.keys() == {1, 2, 3}
    assert counts[2] > 2.5 * max(counts[1], counts[3])
