"""What all grammars share."""

import pytest

from speech.tts.text_front_end.grammar import Around
from speech.tts.text_front_end.grammars.table import GRAMMARS, grammar_of
from speech.tts.text_front_end.quantity import Quantity


def test_leading_zeros_and_very_long_numbers_are_said_digit_by_digit():
    assert grammar_of("eng").number(Quantity("007")) == "zero zero seven"
    assert grammar_of("eng").number(Quantity("1" * 16)) == " ".join(["one"] * 16)
    assert grammar_of("eng").number(Quantity("1" + "0" * 12)) == "one trillion"


def test_the_sign_of_an_amount_is_said_once():
    assert grammar_of("eng").money(Quantity("2", "50", True), "USD", symbol="$") == "minus two dollars and fifty cents"
    assert grammar_of("deu").money(Quantity("0", "50", True), "EUR") == "minus fünfzig Cent"


def test_currencies_without_cents_have_decimals():
    assert grammar_of("eng").money(Quantity("2", "50"), "JPY") == "two point five zero Japanese yen"


def test_the_last_word_before_a_number_is_in_lower_case():
    assert Around("Ja in Der").last == "der"
    assert Around().last == ""


@pytest.mark.parametrize("language", sorted(GRAMMARS))
def test_symbols_and_abbreviations_have_words_without_digits(language):
    words = GRAMMARS[language].words
    assert set(words.symbols) == set(GRAMMARS["eng"].words.symbols)
    assert words.final <= set(words.abbreviations)
    for table in (words.symbols, words.titles, words.abbreviations, words.before_numbers):
        assert all(said.replace(" ", "").replace("-", "").replace("'", "").isalpha() for said in table.values())


@pytest.mark.parametrize("language", sorted(GRAMMARS))
def test_every_number_to_a_thousand_has_its_own_words(language):
    grammar = grammar_of(language)
    assert len({grammar.cardinal(number) for number in range(1001)}) == 1001
    assert len({grammar.ordinal(number) for number in range(1, 100)}) == 99
