"""Lines and columns."""

from speech.tts.text_front_end.places import place


def test_lines_and_columns_start_at_one():
    assert place("abc", 0) == "line 1, column 1"
    assert place("ab\ncd", 4) == "line 2, column 2"


def test_a_text_may_start_within_another():
    assert place("ab\ncd", 1, 3, 10) == "line 3, column 11"
    assert place("ab\ncd", 3, 3, 10) == "line 4, column 1"
