"""A difference of case is no error in any language, and a difference of words stays one."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from speech.metrics.edit.error_rate import text_errors
from speech.metrics.utterance import Pairing, score_utterance
from speech.text.case_folding import fold, fold_pair
from speech.text.languages import LANGUAGES
from speech.text.normalize import scored_text, scored_texts

DOTLESS = ("tur", "aze")
RANGES = {
    "Latn": "AZ az ÀÖ Øö øÿ Āň Ŋſ Ǎǳ Ǻț ɐɨ Ḁỹ",
    "Cyrl": "Ѐҁ Ҋӿ Ԁԯ ᲀᲈ",
    "Grek": "ΆΆ ΈΡ Σώ ἀἕ ἠὅ ὐὗ ὠώ ᾀᾴ ᾶᾼ ῂῄ",
    "Armn": "ԱՖ աև",
    "Geor": "ა\u10fa Ა\u1cba",
}
"""First and last letters of what a script has in pairs of cases."""


def letters(script: str) -> str:
    found = (chr(code) for pair in RANGES[script].split() for code in range(ord(pair[0]), ord(pair[1]) + 1))
    return "".join(c for c in found if unicodedata.category(c) in ("Ll", "Lu", "Lt"))


def without_accents(text: str) -> str:
    """Greek capitals keep a diaeresis alone."""
    return "".join(c for c in unicodedata.normalize("NFD", text) if c == "\u0308" or not unicodedata.combining(c))


def uppers(text: str, code: str) -> list[str]:
    """A text in capitals, in each way in which a language writes them."""
    if code in DOTLESS:
        return [text.replace("i", "İ").upper()]
    if code == "lit":
        return [unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).replace("i\u0307", "i").upper())]
    if code == "ell":
        return [text.upper(), unicodedata.normalize("NFC", without_accents(text.upper()))]
    if code == "deu":
        return [text.upper(), text.replace("ß", "ẞ").upper()]
    if code == "hye":
        return [text.upper(), text.replace("և", "ԵՎ").upper()]
    return [text.upper()]


def lower(text: str, code: str) -> str:
    if code in DOTLESS:
        text = text.replace("I", "ı").replace("İ", "i")
    if code == "lit":  # the dot stays below an accent
        parts = unicodedata.normalize("NFD", text)
        for letter in "IJ":
            for accent in "\u0300\u0301\u0303":
                parts = parts.replace(letter + accent, f"{letter.lower()}\u0307{accent}")
        text = unicodedata.normalize("NFC", parts)
    return text.lower()


def titles(text: str, code: str) -> list[str]:
    words = [[upper + lower(word[1:], code) for upper in uppers(word[0], code)] for word in text.split()]
    python = [] if code in DOTLESS else [text.title()]
    return [" ".join(word[0] for word in words), *python]


cased = {code: letters(language.script) for code, language in LANGUAGES.items() if language.script in RANGES}
texts = st.sampled_from(sorted(cased)).flatmap(
    lambda code: st.tuples(
        st.just(code), st.lists(st.text(cased[code], min_size=1, max_size=6), min_size=1, max_size=4).map(" ".join)
    )
)


@given(texts)
@example(("tur", "ılık ilik İstanbul IRAK"))
@example(("aze", "Işıq isti İŞ"))
@example(("lit", "Į̃ Ìš jū́s J̃"))
@example(("ell", "Όχι ο Μάιος, ο νόμος και ο νομός ή προϊόν ΐ ᾴδω οδός"))
@example(("deu", "Maße Masse Straße sßs ßa Flussschiff"))
@example(("hye", "և Երևան եվ"))
@example(("nld", "ĳs IJsland"))
@example(("kat", "ქართული"))
@example(("hrv", "ǆep ǅep"))
@example(("eng", "İ ı ﬁn ŉ ǰ K"))
def test_a_difference_of_case_is_no_error(drawn):
    code, text = drawn
    for other in (lower(text, code), *uppers(text, code), *titles(text, code)):
        for pair in ((text, other), (other, text)):
            assert [counts.errors for counts in text_errors(*pair, (code,))] == [0, 0]
            score = score_utterance(Pairing(*pair, (code,)))
            assert score.words.errors == score.characters.errors == score.mixed.errors == 0


@pytest.mark.parametrize("change", [str.upper, str.lower, str.title, str.swapcase], ids=lambda f: f.__name__)
def test_each_letter_of_unicode_is_its_pair_where_no_language_is_known(change):
    missed = []
    for code in range(0x110000):
        letter = chr(code)
        if change(letter) == letter or 0xD800 <= code < 0xE000:
            continue
        for text in (letter, f"a{letter}", f"{letter}a", f"b{letter}b {letter}"):
            for pair in ((text, change(text)), (change(text), text)):
                one, other = scored_texts(*pair)
                missed += [pair] if one != other else []
    assert not missed


@pytest.mark.parametrize(
    ("one", "other", "languages"),
    [
        ("ılık", "ilik", ("tur",)), ("ILIK", "ilik", ("tur",)), ("ılık", "İLİK", ("aze",)), ("ılık", "ilik", ()),
        ("ılık", "İLİK", ()), ("Maße", "Masse", ("deu",)), ("Maße", "MaSse", ("deu",)), ("νόμος", "νομός", ("ell",)),
        ("νόμος", "νομος", ("ell",)),
        ("ΝΌΜΟΣ", "νομός", ("ell",)), ("ή", "η", ("ell",)), ("résumé", "RESUME", ("fra",)),
        ("ė", "e", ("lit",)), ("nathair", "n-athair", ("gle",)),
    ],
)  # fmt: skip
def test_other_words_stay_other_words(one, other, languages):
    for pair in ((one, other), (other, one)):
        found = scored_texts(*pair, languages)
        assert found[0] != found[1]


@pytest.mark.parametrize(
    ("one", "other", "languages"),
    [
        ("n-athair t-uisce", "nAthair tUISCE", ("gle",)), ("n-athair", "N-ATHAIR", ("gle",)),
        ("das ist Straße", "wie STRASSE", ("deu", "eng")), ("ılık meeting", "ILIK MEETING", ("tur", "eng")),
        ("ΟΧΙ εδώ όχι", "όχι ΕΔΩ ΟΧΙ", ()), ("και ή όχι", "ΚΑΙ Η ΟΧΙ", ("ell",)),
    ],
)  # fmt: skip
def test_words_beside_others_are_compared_in_their_place(one, other, languages):
    for pair in ((one, other), (other, one)):
        reference, hypothesis = scored_texts(*pair, languages)
        assert reference.split()[-1] == hypothesis.split()[-1]
        assert reference == scored_text(pair[0], languages)


def test_a_wrong_letter_is_one_wrong_letter_in_capitals_too():
    assert text_errors("ο νόμος του κράτους", "Ο ΝΟΜΟΙ ΤΟΥ ΚΡΑΤΟΥΣ", ("ell",)).characters.errors == 1
    assert text_errors("ο νόμος του κράτους", "ΝΟΜΟΙ ΤΟΥ ΚΡΑΤΟΥΣ", ("ell",)).words.errors == 2
    assert text_errors("große straßen", "GROSSE STRASSE", ("deu",)).characters.errors == 1


@given(st.text(max_size=30), st.text(max_size=30), st.sampled_from([(), ("tur",), ("ell",), ("gle",), ("lit",)]))
def test_the_reference_does_not_depend_on_the_other_side(one, other, languages):
    reference, hypothesis = scored_texts(one, other, languages)
    assert reference == scored_text(one, languages)
    assert len(hypothesis.split()) == len(scored_text(other, languages).split())
    assert scored_texts(one, one, languages) == (reference, reference)


def test_the_small_letters_are_those_that_people_write():
    assert fold("ΟΔΥΣΣΕΥΣ Σ ΣΑΣ") == "οδυσσευς σ σας"
    assert fold("İstanbul IRAK", ("tur",)) == "istanbul ırak"
    assert fold_pair("straße", "STRASSE") == ("straße", "straße")
    assert fold_pair("STRASSE", "straße") == ("strasse", "strasse")
