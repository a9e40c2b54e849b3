"""Texts as they are written and scored."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from speech.text.languages import LANGUAGES
from speech.text.normalize import NORMALIZER_VERSION, plain_text, scored_text

any_text = st.text(max_size=40)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Don’t STOP-now!", "don't stop now"),
        ("rock ’n’ roll’s “Quote”", "rock n roll's quote"),
        ("l`été d´hier aujourdʼhui", "l'été d'hier aujourd'hui"),
        ("Straße", "straße"),
        ("ΟΔΥΣΣΕΎΣ", "οδυσσεύς"),
        ("１２３ ＡＢＣ 4", "123 abc 4"),
        ("it cost 3.50 in 1999", "it cost 3 50 in 1999"),
        ("हिन्दी, क्षेत्र।", "हिन्दी क्षेत्र"),
        ("كـتـاب، عربي؟", "كتاب عربي"),
        ("שָׁלוֹם!", "שָׁלוֹם"),
        ("п’ять", "п'ять"),
        ("हिं’दी", "हिं'दी"),
        ("e\u0301te\u0301", "été"),
        ("你好，世界！", "你好 世界"),
        ("co\u00adoperate zero\u200bwidth", "cooperate zerowidth"),
        ("  a \t\n b\u00a0c ", "a b c"),
        ("snake_case a|b ©", "snake case a b"),
        ("' '' a''b '", "a b"),
        ("", ""),
        ("?!", ""),
    ],
)
def test_plain_text_keeps_letters_marks_digits_and_inner_apostrophes(text, plain):
    assert plain_text(text) == unicodedata.normalize("NFC", plain)


@given(any_text)
@example("e\u200d\u0301")
@example("İ ΑΣ'Α")
def test_plain_text_of_plain_text_is_itself(text):
    assert plain_text(plain_text(text)) == plain_text(text)


@given(any_text)
def test_plain_text_holds_nothing_but_what_it_promises(text):
    plain = plain_text(text)
    assert all(c in " '" or unicodedata.category(c)[0] in "LMN" for c in plain)
    assert plain == " ".join(plain.split())
    assert not any(word.startswith("'") or word.endswith("'") for word in plain.split())


@given(st.text("abcdé ", max_size=20), st.sampled_from(["!", "?", ",", "…", "»", "—", "。", "؟"]))
def test_case_and_final_punctuation_do_not_count(text, mark):
    assert scored_text(text.upper() + mark, ("fra",)) == scored_text(text, ("fra",))


def test_numbers_are_not_spelled_out():
    assert scored_text("twenty 20", ("eng",)) == "twenty 20"


def test_the_version_is_the_one_these_expectations_belong_to():
    assert NORMALIZER_VERSION == "2"


@pytest.mark.parametrize(
    ("one", "other", "languages"),
    [
        ("I ❤️ you 1️⃣", "i you 1", ()), ("מה\u200fזה", "מהזה", ("heb",)), ("a\u2060b", "ab", ()),
        ("ന്\u200d", "ൻ", ("mal",)),
        ("হঠাত্\u200d", "হঠাৎ", ("ben",)), ("oʻzbek", "o‘zbek", ("uzb",)), ("ʻāina Hawaiʻi", "‘āina hawai'i", ("haw",)),
        ("e\u0301", "é", ()), ("م\u0640ا", "ما", ("ara",)), ("می\u200cروم", "میروم", ("fas",)),
    ],
)  # fmt: skip
def test_what_looks_the_same_is_scored_as_the_same(one, other, languages):
    assert scored_text(one, languages) == scored_text(other, languages)


def test_an_okina_is_a_letter_of_hawaiian_only():
    assert scored_text("‘ai", ("haw",)) != scored_text("ai", ("haw",))
    assert scored_text("‘hello’", ("eng",)) == "hello"


@given(any_text, st.sampled_from([(), *((code,) for code in sorted(LANGUAGES))]))
def test_a_scored_text_scored_again_is_itself(text, languages):
    assert scored_text(scored_text(text, languages), languages) == scored_text(text, languages)


def test_what_the_model_writes_does_not_follow_the_language():
    assert plain_text("IŞIK Straße ΟΧΙ") == "işik straße οχι"
