"""Features of turns: which ends are told apart, and that only the end of a text counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.text.turn_features import LONGEST, final_mark, turn_features

BUCKETS = 1 << 18


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("Yes.", "."), ("Yes", ""), ("What?", "?"), ("Stop!", "!"), ("I would...", "~"), ("I would…", "~"),
        ("and,", ","), ("he said: ", ","), ("a -", "-"), ('He said "yes."', "."), ("好的。", "."), ("吗？", "?"),
        ("ماذا؟", "?"), ("Τι ώρα είναι;", "?"), ("", ""), ("...", "~"), ("¿Qué?!", "?"), ("the..", "~"),
    ],
)  # fmt: skip
def test_the_class_of_the_punctuation_that_ends_a_text(text, mark):
    assert final_mark(text) == mark


def test_texts_share_features_of_what_they_share():
    one, other = (set(turn_features(text, "eng", BUCKETS)) for text in ("I saw the", "We know the"))
    longer, end = (set(turn_features(text, "eng", BUCKETS)) for text in ("I saw the dog", "I saw the."))
    assert len(one & other) > len(one & longer)
    assert one != end
    assert set(turn_features("I SAW THE", "eng", BUCKETS)) == one


def test_an_unknown_language_leaves_features_out():
    named, unnamed = (set(turn_features("Ich möchte", code, BUCKETS)) for code in ("deu", None))
    assert unnamed < named


def test_letters_without_spaces_are_words_of_their_own():
    one, other = (set(turn_features(text, "cmn", BUCKETS)) for text in ("我想要", "他们都想要"))
    assert len(one & other) > 10


def test_what_lies_far_before_the_end_does_not_count():
    end = "x" * LONGEST
    assert turn_features("We were. " + end, "eng", BUCKETS) == turn_features(end, "eng", BUCKETS)


@given(st.text(max_size=60), st.sampled_from([None, "eng", "cmn"]), st.sampled_from([1, 7, BUCKETS]))
def test_any_text_has_ascending_numbers_below_the_number_of_buckets(text, code, buckets):
    found = turn_features(text, code, buckets)
    assert found == sorted(set(found))
    assert all(0 <= number < buckets for number in found)
    assert found
