"""Columns of a screen, and where lines of scripts without spaces end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.text.display_width import columns, may_break, pieces


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", 0), ("abc", 3), ("\u4f60\u597d", 4), ("e\u0301", 1), ("\uff21", 2), ("\U00020000", 2),
     ("\u1112\u1161\u11ab", 2),
     ("\u0e01\u0e34", 1), ("a\u200b", 1)],
    ids=ascii,
)  # fmt: skip
def test_wide_characters_take_two_columns_and_marks_none(text, expected):
    assert columns(text) == expected


@pytest.mark.parametrize(
    ("before", "after"),
    [("\u3042", "\u3002"), ("\u300c", "\u3042"), ("\u30b3", "\u30fc"), ("\u30ad", "\u30e3"), ("\u0e01", "\u0e34"),
     ("\u0e40", "\u0e01"), ("\u0e01", "\u0e32")],
    ids=ascii,
)  # fmt: skip
def test_marks_stay_with_what_they_belong_to(before, after):
    assert not may_break(before, after)
    assert may_break("\u3042", "\u3044")


@given(st.text("\u3042\u3002\u300c\u300d\u30fc\u0e40\u0e01\u0e34\u4f60"))
def test_pieces_together_are_the_text(text):
    assert "".join(pieces(text)) == text
    assert all(may_break(a, b) for a, b in zip(pieces(text), pieces(text)[1:], strict=False))
