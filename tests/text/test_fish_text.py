"""Texts for Fish-Speech: what is cleaned out, and where long ones are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.text.fish_text import FishVersion, cleaned, turns

NEW, OLD = FishVersion.one_five, FishVersion.one_four


@pytest.mark.parametrize(
    ("text", "new", "old"),
    [
        ("  It’s “so” \n", "It's “so”", "It's 'so'"),
        ("a 😀 b 🚀", "a  b ", "a  b "),
        ("a,,,b, ,c", "a,b, ,c", "a,b, ,c"),
        ("wait...", "wait...", "wait."),
        ("a…b", "a…b", "a.b"),
        ("one: two; three", "one: two; three", "one, two, three"),
        ("a (b) [c]\nd — e·f~", "a (b) [c]\nd — e·f~", "a b cd  ef"),
        ("《书》「名」：【一】", "《书》「名」：【一】", "'书''名',一"),
        ("a,.b", "a,.b", "a,b"),
    ],
)
def test_texts_are_cleaned_as_published(text, new, old):
    assert cleaned(text, NEW) == new
    assert cleaned(text, OLD) == old


@pytest.mark.parametrize(
    ("text", "longest", "expected"),
    [
        ("One. Two! Three?", 200, ["One. Two! Three?"]),
        ("One. Two! Three?", 9, ["One. Two!", "Three?"]),
        ("Pi is 3.14. So.", 12, ["Pi is 3.14.", "So."]),
        ("one two, three four, five", 12, ["one two,", "three four,", "five"]),
        ("one two three four", 8, ["one two", "three", "four"]),
        ("abcdefgh", 3, ["abc", "def", "gh"]),
        ("你好。世界。", 9, ["你好。", "世界。"]),
        ("你好世界", 6, ["你好", "世界"]),
        ("Yes. ... No.", 4, ["Yes.", "No."]),
        ("  ", 10, []),
        ("?!", 10, []),
        ("", 10, []),
    ],
)
def test_long_texts_are_cut_where_they_may_pause(text, longest, expected):
    assert turns(text, NEW, longest) == expected


@given(st.text(alphabet="ab .,!?1é你", max_size=60), st.integers(8, 30))
def test_no_turn_is_too_long_and_no_letter_is_lost(text, longest):
    found = turns(text, NEW, longest)
    assert all(len(turn.encode()) <= longest for turn in found)

    def letters(given):
        return [c for c in given if c.isalnum()]

    assert letters("".join(found)) == letters(text)
