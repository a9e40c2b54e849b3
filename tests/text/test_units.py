"""What counts as a unit, in scripts with and without spaces and in both."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.text.normalize import plain_text
from speech.text.units import UnitKind, resolve_unit_kind, units

texts = st.text(st.sampled_from("ab 去家あ一ไทé'가")).map(plain_text)


@given(texts, st.sampled_from([UnitKind.wer, UnitKind.cer, UnitKind.mer]))
def test_units_are_the_text_without_its_spaces(text, kind):
    assert "".join(units(text, kind)) == text.replace(" ", "")


@given(texts)
def test_mixed_units_are_words_and_single_characters_of_scripts_without_spaces(text):
    assert [u for u in units(text, UnitKind.mer) if not u.isascii()] == [
        u for word in text.split() for u in units(word, UnitKind.mer) if not u.isascii()
    ]
    assert all(len(u) == 1 for u in units(text, UnitKind.mer) if u[0] in "去家あ一ไท")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("go home", UnitKind.wer),
        ("회의 시작", UnitKind.wer),
        ("回家吧", UnitKind.cer),
        ("回家 now", UnitKind.mer),
        ("", UnitKind.wer),
    ],
)
def test_the_kind_follows_the_scripts_of_the_reference(text, kind):
    assert resolve_unit_kind(UnitKind.auto, text) == kind


@pytest.mark.parametrize(("code", "kind"), [("cmn", "cer"), ("kor", "cer"), ("spa", "wer"), (None, "wer")])
def test_the_published_kind_follows_the_language(code, kind):
    assert resolve_unit_kind(UnitKind.paper, "回家 now", code) == kind


def test_a_word_beside_a_character_is_a_unit_of_its_own():
    assert units("去coffee shop吧", UnitKind.mer) == ["去", "coffee", "shop", "吧"]


def test_a_kind_that_depends_on_the_reference_has_no_units():
    with pytest.raises(ValueError, match="auto"):
        units("a", UnitKind.auto)
