"""Numbers as they are written."""

import re

import pytest

from speech.tts.text_front_end.quantity import Quantity, ascii_digits, number_pattern, parse

CASES = [
    ("1,234.5", ".", Quantity("1234", "5", grouped=True)),
    ("1.234,5", ",", Quantity("1234", "5", grouped=True)),
    ("1,5", ".", Quantity("1", "5")),
    ("3.14", ",", Quantity("3", "14")),
    ("-0,05", ",", Quantity("0", "05", True)),
    ("−7", ".", Quantity("7", "", True)),
    ("1\u202f000\u202f000", ",", Quantity("1000000", grouped=True)),
    ("1'000", ".", Quantity("1000", grouped=True)),
    ("١٢", ".", Quantity("12")),
    ("1.234", ",", Quantity("1234", grouped=True)),
    ("1.234", ".", Quantity("1", "234")),
]


@pytest.mark.parametrize(("written", "decimal", "quantity"), CASES)
def test_signs_groups_and_decimals_are_read(written, decimal, quantity):
    assert re.fullmatch(number_pattern(decimal, spaced=False), written.lstrip("-−")) is not None
    assert parse(written, decimal) == quantity


def test_spaces_separate_groups_only_where_that_is_usual():
    assert re.match(number_pattern(",", spaced=True), "1 000 mots")[0] == "1 000"
    assert re.match(number_pattern(".", spaced=False), "1 000 words")[0] == "1"


def test_lists_and_versions_are_no_decimals():
    assert re.match(number_pattern(".", spaced=False), "1,2,3")[0] == "1"
    assert re.match(number_pattern(".", spaced=False), "1.2.3")[0] == "1"


def test_the_value_has_the_written_decimals():
    assert str(parse("-1.50", ".").value) == "-1.50"
    assert str(parse("1", ".").value) == "1"
    assert ascii_digits("٣,५") == "35"
