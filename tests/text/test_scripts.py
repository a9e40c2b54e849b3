"""Scripts of characters and languages."""

import pytest

from speech.text.scripts import script, scripts_of, written_in


@pytest.mark.parametrize(
    ("character", "code"), [("a", "Latn"), ("é", "Latn"), ("я", "Cyrl"), ("好", "Hani"), ("か", "Hira"), ("ש", "Hebr")]
)
def test_a_letter_has_a_script(character, code):
    assert script(character) == code


@pytest.mark.parametrize("character", ["1", "'", " ", "\u2581", "\u0301"])
def test_what_all_scripts_share_has_none(character):
    assert script(character) is None


def test_japanese_has_three():
    assert scripts_of("jpn") == {"Hira", "Kana", "Hani"}


def test_a_text_is_written_in_languages_if_each_letter_is():
    assert written_in("tea 2", ["eng"])
    assert not written_in("чай", ["eng", "fra"])
    assert written_in("tea чай", ["eng", "rus"])
