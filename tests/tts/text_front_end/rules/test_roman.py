"""Roman numerals."""

import pytest

from speech.tts.text_front_end.normalise import normalise
from speech.tts.text_front_end.rules.roman import value_of


@pytest.mark.parametrize(("numeral", "value"), [("I", 1), ("IV", 4), ("IX", 9), ("XIV", 14), ("XXXIX", 39)])
def test_values(numeral, value):
    assert value_of(numeral) == value


@pytest.mark.parametrize(
    ("language", "written", "spoken"),
    [
        ("eng", "Mary, I think, and I", "Mary, I think, and I"),
        ("eng", "George I think so", "George I think so"),
        ("eng", "Malcolm X", "Malcolm X"),
        ("eng", "an IV drip", "an IV drip"),
        ("eng", "Vitamin C", "Vitamin C"),
        ("eng", "King Charles III's", "King Charles the third's"),
        ("eng", "part II", "part two"),
        ("eng", "IIII", "IIII"),
        ("deu", "Er sah Ludwig XIV. Dann ging er.", "Er sah Ludwig der Vierzehnte. Dann ging er."),
        ("spa", "el siglo V", "el siglo quinto"),
        ("ita", "sec. XX", "secolo ventesimo"),
        ("por", "séc. XIX", "século dezenove"),
    ],
)
def test_numerals_are_said_where_nothing_else_can_be_meant(language, written, spoken):
    assert normalise(written, language).text == spoken
