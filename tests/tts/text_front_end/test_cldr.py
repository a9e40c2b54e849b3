"""Data of the CLDR."""

from decimal import Decimal

import pytest

from speech.tts.text_front_end.cldr import UNITS, Cldr


def test_signs_and_order_of_dates_are_those_of_the_language():
    assert (Cldr("en").decimal, Cldr("de").decimal) == (".", ",")
    assert Cldr("en").month_first
    assert not Cldr("fr").month_first


def test_months_are_known_by_names_and_abbreviations():
    months = Cldr("en").months
    assert [months[name] for name in ("march", "mar", "sept", "may")] == [3, 3, 9, 5]
    assert [Cldr("fr").months[name] for name in ("juin", "juil", "août")] == [6, 7, 8]
    assert Cldr("es").month(3) == "marzo"


def test_currencies_and_units_agree_with_their_number():
    assert Cldr("de").currency("INR", Decimal(2)) == "Indische Rupien"
    assert Cldr("it").unit("speed-kilometer-per-hour", Decimal(1)) == "chilometro orario"
    assert Cldr("fr").unit("length-kilometer", Decimal("1.5")) == "kilomètre"


def test_some_languages_have_symbols_of_their_own():
    assert Cldr("de").symbols["Std."] == "duration-hour"
    assert Cldr("fr").symbols["Mo"] == "digital-megabyte"


@pytest.mark.parametrize("language", ["en", "es", "fr", "it", "pt", "de"])
def test_every_unit_has_a_name_without_digits(language):
    cldr = Cldr(language)
    names = [cldr.unit(name, Decimal(count)) for name in set(UNITS.values()) for count in (1, 2)]
    assert all(name and not any(letter.isdecimal() for letter in name) for name in names)
