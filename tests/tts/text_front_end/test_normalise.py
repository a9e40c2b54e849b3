"""Whatever is written: no digit is left, places fit, words alone stay as they are."""

import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.errors import ConfigError, LanguageError
from speech.tts.text_front_end.grammars.table import GRAMMARS
from speech.tts.text_front_end.normalise import normalise

LANGUAGES = sorted(GRAMMARS)
PIECES = [
    "1",
    "2",
    "0",
    "14",
    "21",
    "007",
    "1984",
    "1.000",
    "1,5",
    "3.14",
    "1 000",
    "½",
    "²",
    "Ⅳ",
    "٣",
    "１",
    "①",
    "-",
    "–",
    "/",
    ":",
    ".",
    ",",
    " ",
    "  ",
    "\n",
    "\n\n",
    "€",
    "$",
    "%",
    "°C",
    "km",
    "h",
    "Uhr",
    "am",
    "pm",
    "p.m.",
    "#",
    "@",
    "&",
    "+",
    "=",
    "(",
    ")",
    "'",
    "’",
    '"',
    "a",
    "uno",
    "Dr.",
    "z. B.",
    "etc.",
    "XIV",
    "Louis",
    "siglo",
    "mayo",
    "May",
    "3. ",
    "1er",
    "2nd",
    "º",
    "mil",
    "million",
    "www.",
    ".com",
    "x@y.de",
    "https://",
    "😀",
    "\u200b",
    "\u00a0",
    "é",
    "ß",
    "漢",
    "م",
    "1️⃣",
    "st",
]
ITEMS = [
    "1",
    "21",
    "007",
    "1984",
    "1.000",
    "1,5",
    "3.14",
    "½",
    "x²",
    "Ⅳ",
    "٣",
    "-5",
    "10-15",
    "1/2",
    "2:1",
    "14:30",
    "€5",
    "5 €",
    "50%",
    "20 °C",
    "5 km",
    "1 h",
    "5 pm",
    "p.m.",
    "#5",
    "@",
    "&",
    "2+2",
    "(7)",
    "'80s",
    "casa",
    "uno",
    "Dr. Klein",
    "z. B.",
    "etc.",
    "Louis XIV",
    "siglo XX",
    "3 mayo",
    "May 3",
    "3. Mai",
    "1er",
    "2nd",
    "3º",
    "2 mil",
    "million",
    "www.a.com",
    "x@y.de",
    "https://a.b/c?d=1",
    "😀",
    "é",
    "漢",
    "1️⃣",
    "St.",
    "M. X",
    "p. 5",
    "n° 3",
    "4/7/2024",
    "2024-07-04",
    "+44 20 7946 0000",
    "1.2.3",
    "MP3",
    "$1.2bn",
    "a/b",
]
texts = st.lists(st.sampled_from(PIECES), max_size=14).map("".join) | st.text(max_size=30)


@pytest.mark.parametrize("language", LANGUAGES)
@settings(max_examples=250, deadline=None)
@given(text=texts)
def test_no_digit_is_left_and_places_are_in_order(language, text):
    spoken = normalise(text, language)
    assert not [one for one in spoken.text if unicodedata.category(one)[0] == "N"]
    places = [(word.source_start, word.source_end) for word in spoken.words]
    assert all(0 <= start < end <= len(text) for start, end in places)
    assert places == sorted(places, key=lambda place: place[0])
    assert all(spoken.text[word.start : word.end] == word.text for word in spoken.words)
    behind = [0, *(word.end for word in spoken.words)]
    assert all(before <= word.start for before, word in zip(behind, spoken.words, strict=False))


def test_a_title_is_read_through_what_is_left_out():
    assert normalise("St. 😀 Anna", "deu").text == "Sankt Anna"
    assert normalise("St. 😀 St.", "deu").text == normalise("St. St.", "deu").text == "Sankt St."


@pytest.mark.parametrize("language", LANGUAGES)
@settings(max_examples=250, deadline=None)
@given(text=st.lists(st.sampled_from(ITEMS), max_size=8).map(" ".join))
def test_what_is_spoken_is_spoken_the_same_again(language, text):
    once = normalise(text, language).text
    assert normalise(once, language).text == once


@pytest.mark.parametrize("language", LANGUAGES)
@settings(max_examples=100, deadline=None)
@given(text=st.lists(st.sampled_from(["casa", "Haus", "l'été", "word", "o'clock", "vis-à-vis", "naïve"]), min_size=1))
def test_words_alone_stay_as_they_are(language, text):
    written = " ".join(text)
    spoken = normalise(written, language)
    assert spoken.text == written
    assert [written[word.source_start : word.source_end] for word in spoken.words] == text


def test_words_of_one_amount_share_its_place():
    text = "Pay $5 now"
    assert [(word.text, text[word.source_start : word.source_end]) for word in normalise(text, "eng").words] == [
        ("Pay", "Pay"),
        ("five", "$5"),
        ("dollars", "$5"),
        ("now", "now"),
    ]


def test_what_is_left_out_is_named():
    text = "Nice 😀 * day"
    assert [text[start:end] for start, end in normalise(text, "eng").unspoken] == ["😀", "*"]


@pytest.mark.parametrize(
    ("language", "written", "spoken"),
    [
        ("pol", "Mam 21 lat.", "Mam dwadzieścia jeden lat."),
        ("nld", "21 dagen", "eenentwintig dagen"),
        ("rus", "5 книг, 3.5", "пять книг, три целых пять десятых"),
        ("jpn", "5", "五"),
        ("tur", "(5)", "(beş)"),
    ],
)
def test_other_languages_have_plain_numbers(language, written, spoken):
    assert normalise(written, language).text == spoken


@pytest.mark.parametrize("written", ["o 14:30", "5 km/h i 3%", "2024-07-04", "$5", "-3", "007", "5kg", "x²", "1/2"])
def test_other_languages_refuse_what_they_would_say_wrongly(written):
    with pytest.raises(LanguageError, match=r"line 2, column \d+: only plain numbers can be said in Polish"):
        normalise(f"Tak\n{written}", "pol")


def test_languages_without_numbers_refuse_digits_by_name_and_place():
    with pytest.raises(LanguageError, match=r"line 1, column 9: digits cannot be said in Swahili: '25,'"):
        normalise("umri wa 25, 26", "swa")
    assert normalise("Habari ya asubuhi.", "swa").text == "Habari ya asubuhi."


def test_without_num2words_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "num2words", None)
    with pytest.raises(ConfigError, match=r"num2words.*pip install '[\w-]+\[tts\]'"):
        normalise("21", "eng")


def test_without_babel_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "babel", None)
    with pytest.raises(ConfigError, match=r"Babel.*pip install '[\w-]+\[tts\]'"):
        GRAMMARS["eng"]()


def test_ten_thousand_digits_are_said_one_by_one():
    assert normalise("7" * 10_000, "eng").text == " ".join(["seven"] * 10_000)
