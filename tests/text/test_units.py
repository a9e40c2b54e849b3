"""What counts as a unit, in scripts with and without spaces and in both."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.text.normalize import plain_text
from speech.text.units import Form, form_of, units

texts = st.text(st.sampled_from("ab 去家あ一ไทé'가")).map(plain_text)


@given(texts, st.sampled_from([Form.wer, Form.cer, Form.mer]))
def test_units_are_the_text_without_its_spaces(text, form):
    assert "".join(units(text, form)) == text.replace(" ", "")


@given(texts)
def test_mixed_units_are_words_and_single_characters_of_scripts_without_spaces(text):
    assert [u for u in units(text, Form.mer) if not u.isascii()] == [
        u for word in text.split() for u in units(word, Form.mer) if not u.isascii()
    ]
    assert all(len(u) == 1 for u in units(text, Form.mer) if u[0] in "去家あ一ไท")


@pytest.mark.parametrize(
    ("text", "form"),
    [("go home", Form.wer), ("회의 시작", Form.wer), ("回家吧", Form.cer), ("回家 now", Form.mer), ("", Form.wer)],
)
def test_the_form_follows_the_scripts_of_the_reference(text, form):
    assert form_of(Form.auto, text) == form


@pytest.mark.parametrize(("code", "form"), [("cmn", "cer"), ("kor", "cer"), ("spa", "wer"), (None, "wer")])
def test_the_published_form_follows_the_language(code, form):
    assert form_of(Form.paper, "回家 now", code) == form


def test_a_word_beside_a_character_is_a_unit_of_its_own():
    assert units("去coffee shop吧", Form.mer) == ["去", "coffee", "shop", "吧"]


def test_a_form_that_depends_on_the_reference_has_no_units():
    with pytest.raises(ValueError, match="auto"):
        units("a", Form.auto)
